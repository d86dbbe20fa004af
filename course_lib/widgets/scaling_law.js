// data: {sizes [s], laws [l], decays [d], n, loss [l][d][s], predicted [l][d][s], exponent [l][d],
//        r2 [l][d], represented [l][d][s], overlap [l][d][s] (m times mean cos²),
//        rank [k], norm [l][d][s][k], threshold}

function draw(data, [law, decay, size]) {
  const { sizes } = data;
  const exponent = number(data.exponent[law][decay], 2);
  const r2 = number(data.r2[law][decay], 3);
  const count = data.represented[law][decay][size];
  const m = sizes[size];
  const where = `${data.laws[law]} frequencies and decay ${number(data.decays[decay], 1)}`;
  const halves = number(100 * (1 - 2 ** -data.exponent[law][decay]), 0);
  return {
    panels: [
      {
        name: "Loss against size",
        label: `Loss at ${sizes.join(", ")} hidden dimensions for ${where}: `
          + `${data.loss[law][decay].map((v) => number(v, 3)).join(", ")}. `
          + `Fitted exponent ${exponent}, R squared ${r2}.`,
        ...losses(data, law, decay, size),
      },
      {
        name: `Who is stored at m = ${m}`,
        label: `Row norms by rank at ${m} dimensions: ${count} of ${data.n} features have a norm `
          + `above ${data.threshold}.`,
        ...norms(data, law, decay, size),
      },
    ],
    summary: `With ${where} L falls as m to the power \u2212${exponent} (R\u00b2 ${r2}), so doubling m `
      + `takes ${halves}\u00a0% off. At m = ${m} the model represents ${count} of ${data.n} features, `
      + `and m times the mean squared overlap is ${number(data.overlap[law][decay][size], 2)}.`,
  };
}

function words(x, y, content, anchor = "start", kind = "note") {
  return svg("text", { x, y, class: kind, style: `text-anchor: ${anchor}` }, content);
}

function losses(data, law, decay, size) {
  const { sizes } = data;
  const all = data.loss[law].flat(); // one frame for all decays of a law
  const [low, high] = [Math.log10(Math.min(...all)) - 0.12, Math.log10(Math.max(...all)) + 0.12];
  const [left, right] = [Math.log(sizes[0]) - 0.12, Math.log(sizes[sizes.length - 1]) + 0.12];
  const x = (m) => 46 + (266 * (Math.log(m) - left)) / (right - left);
  const y = (loss) => 282 - (258 * (Math.log10(loss) - low)) / (high - low);
  const shapes = [
    svg("line", { x1: 46, y1: 282, x2: 314, y2: 282, class: "axis" }),
    svg("line", { x1: 46, y1: 20, x2: 46, y2: 282, class: "axis" }),
    words(4, 10, "loss L"),
    words(314, 316, "hidden dimensions m", "end"),
  ];
  for (const m of sizes) shapes.push(words(x(m), 297, m, "middle"));
  for (const loss of [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2]) {
    if (Math.log10(loss) > low && Math.log10(loss) < high) shapes.push(words(42, y(loss), loss, "end"));
  }
  const path = (values) => values.map((v, k) => `${x(sizes[k])},${y(v)}`).join(" ");
  data.loss[law].forEach((values, d) => {
    const style = "fill: none; stroke: var(--soft); stroke-opacity: .45";
    if (d !== decay) shapes.push(svg("polyline", { points: path(values), style }));
  });
  const here = data.loss[law][decay];
  const middle = Math.exp(here.reduce((sum, v, k) => sum + Math.log(v * sizes[k]), 0) / sizes.length);
  const guide = sizes.map((m) => middle / m);
  const inside = (v) => Math.log10(v) > low && Math.log10(v) < high;
  const seen = sizes.map((_, k) => k).filter((k) => inside(guide[k]));
  const points = seen.map((k) => `${x(sizes[k])},${y(guide[k])}`).join(" ");
  shapes.push(svg("polyline", { points, class: "ideal", style: "fill: none" }));
  shapes.push(words(x(sizes[seen[0]]) + 6, y(guide[seen[0]]) - 10, "1/m"));
  const predicted = data.predicted[law][decay];
  predicted.forEach((v, k) => {
    if (!inside(v)) return;
    const box = { x: x(sizes[k]) - 5, y: y(v) - 5, width: 10, height: 10 };
    const style = "fill: none; stroke: var(--positive); stroke-width: 2";
    shapes.push(svg("rect", { ...box, style, "data-predicted": k }));
  });
  const line = { points: path(here), class: "line", style: "fill: none" };
  shapes.push(svg("polyline", line));
  here.forEach((v, k) => {
    const style = k === size
      ? "fill: var(--card); stroke: var(--strong); stroke-width: 4"
      : "fill: var(--strong)";
    shapes.push(svg("circle", { cx: x(sizes[k]), cy: y(v), r: k === size ? 7 : 4, style, "data-loss": v }));
  });
  return { viewBox: "0 0 320 326", shapes };
}

function norms(data, law, decay, size) {
  const values = data.norm[law][decay][size];
  const top = Math.max(1.25, ...data.norm.flat(3));
  const x = (rank) => 40 + (272 * Math.log(rank)) / Math.log(data.n);
  const y = (norm) => 282 - (258 * norm) / top;
  const shapes = [
    svg("line", { x1: 40, y1: 282, x2: 314, y2: 282, class: "axis" }),
    svg("line", { x1: 40, y1: 20, x2: 40, y2: 282, class: "axis" }),
    svg("line", { x1: 40, x2: 314, y1: y(data.threshold), y2: y(data.threshold), class: "truth" }),
    words(314, y(data.threshold) - 9, "represented above", "end"),
    words(4, 10, "row norm |W\u1d62|"),
    words(314, 316, "rank i of the feature", "end"),
  ];
  for (const norm of [0, 0.5, 1]) shapes.push(words(36, y(norm), norm, "end"));
  for (let rank = 1; rank <= data.n; rank *= 10) shapes.push(words(x(rank), 297, rank, "middle"));
  const m = data.sizes[size];
  shapes.push(svg("line", { x1: x(m), x2: x(m), y1: 24, y2: 282, class: "ideal" }));
  shapes.push(words(x(m) + 4, 30, "i = m"));
  values.forEach((norm, k) => {
    const style = norm > data.threshold ? "fill: var(--strong)" : "fill: var(--weak); fill-opacity: .6";
    shapes.push(svg("circle", { cx: x(data.rank[k]), cy: y(norm), r: 3, style, "data-norm": norm }));
  });
  return { viewBox: "0 0 320 326", shapes };
}
