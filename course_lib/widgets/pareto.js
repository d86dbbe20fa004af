// data: {worlds, names, true_l0 [n_worlds], bars {measure: words}, and for each of l0, fvu and the
//        bars a table [n_worlds][n_names][n_sparsities][n_seeds], null where it does not apply}

function draw(data, [world, name, sparsity]) {
  const at = (measure, n, k) => mean(data[measure][world][n][k]);
  const line = data.names.map((_, n) => data.l0[world][n].map((_, k) => [at("l0", n, k), at("fvu", n, k)]));
  const here = line[name][sparsity];
  const rival = better(line, here, name, sparsity);
  const bars = Object.entries(data.bars)
    .filter(([measure]) => data[measure][world][name] !== null)
    .map(([measure, words]) => ({ measure, words, seeds: data[measure][world][name][sparsity] }));
  const place = `${data.names[name]} at L0 ${number(here[0], 2)}`;
  const verdict = rival === null
    ? "No other point has both fewer active latents and a lower FVU: it is on the front."
    : `${data.names[rival[0]]} has fewer active latents (L0 ${number(rival[1][0], 2)}) and a lower FVU `
      + `(${number(rival[1][1], 3)}).`;
  return {
    panels: [
      {
        name: "L0 and FVU",
        label: `Fronts of ${data.names.length} architectures in the world ${data.worlds[world]}. `
          + `${place} leaves ${number(here[1], 3)} of the variance. ${verdict}`,
        ...fronts(data, world, line, name, sparsity),
      },
      {
        name: "The SAE you stand on",
        label: `${place}: ${bars.map(({ words, seeds }) => `${words} ${number(mean(seeds), 2)}`).join(", ")}.`,
        ...measures(bars, data.absorption[world][name] === null),
      },
    ],
    summary: `${place}, FVU ${number(here[1], 3)}. ${verdict} `
      + `Planted: ${number(data.true_l0[world], 1)} features are on per input.`,
  };
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

function better(line, [l0, fvu], name, sparsity) {
  let best = null;
  line.forEach((points, n) => points.forEach((point, k) => {
    if ((n === name && k === sparsity) || point[0] > l0 || point[1] >= fvu) return;
    if (best === null || point[1] < best[1][1]) best = [n, point];
  }));
  return best;
}

function words(x, y, content, anchor = "start", kind = "note") {
  return svg("text", { x, y, class: kind, style: `text-anchor: ${anchor}` }, content);
}

function fronts(data, world, line, name, sparsity) {
  const points = line.flat();
  const right = Math.ceil(Math.max(...points.map(([l0]) => l0)) + 0.3);
  const values = data.fvu[world].flat(2);
  const low = Math.log10(Math.min(...values)) - 0.08;
  const high = Math.log10(Math.max(...values)) + 0.08;
  const x = (l0) => 44 + (266 * l0) / right;
  const y = (fvu) => 282 - (256 * (Math.log10(fvu) - low)) / (high - low);
  const shapes = [
    svg("line", { x1: 44, y1: 282, x2: 312, y2: 282, class: "ring" }),
    svg("line", { x1: 44, y1: 20, x2: 44, y2: 282, class: "ring" }),
    words(4, 10, "FVU"),
    words(312, 316, "L0: active latents per input", "end"),
  ];
  for (let l0 = 0; l0 <= right; l0 += 1) shapes.push(words(x(l0), 297, l0, "middle"));
  for (const fvu of [0.01, 0.02, 0.05, 0.1, 0.2, 0.5]) {
    if (Math.log10(fvu) > low && Math.log10(fvu) < high) shapes.push(words(40, y(fvu), fvu, "end"));
  }
  const true_x = x(data.true_l0[world]);
  const dashed = "stroke: var(--soft); stroke-dasharray: 2 4";
  shapes.push(svg("line", { x1: true_x, y1: 24, x2: true_x, y2: 282, style: dashed }));
  shapes.push(words(true_x + 3, 30, "planted"));
  const path = (n) => line[n].map(([l0, fvu]) => `${x(l0)},${y(fvu)}`).join(" ");
  const others = line.map((_, n) => n).filter((n) => n !== name);
  for (const n of [...others, name]) {
    const style = n === name
      ? "fill: none; stroke: var(--accent); stroke-width: 3"
      : "fill: none; stroke: var(--soft); stroke-width: 1; stroke-opacity: .55";
    shapes.push(svg("polyline", { points: path(n), style, "data-front": n }));
  }
  data.l0[world][name].forEach((seeds, k) => seeds.forEach((l0, s) => {
    const [cx, cy] = [x(l0), y(data.fvu[world][name][k][s])];
    shapes.push(svg("circle", { cx, cy, r: 2.5, style: "fill: var(--accent)" }));
  }));
  const [l0, fvu] = line[name][sparsity];
  const ring = "fill: var(--card); stroke: var(--strong); stroke-width: 4";
  shapes.push(svg("circle", { cx: x(l0), cy: y(fvu), r: 7, style: ring, "data-here": `${l0} ${fvu}` }));
  return { viewBox: "0 0 320 326", shapes };
}

function measures(bars, flat) {
  const shapes = [];
  const x = (value) => 12 + 260 * Math.max(0, Math.min(1.1, value)) / 1.1;
  bars.forEach(({ measure, words: what, seeds }, k) => {
    const top = 14 + 58 * k;
    const value = mean(seeds);
    shapes.push(words(12, top, what));
    shapes.push(svg("rect", { x: 12, y: top + 10, width: 260, height: 20, rx: 4, class: "cell" }));
    const width = Math.max(1, x(value) - 12);
    shapes.push(svg("rect", { x: 12, y: top + 10, width, height: 20, rx: 4, class: "bar" }));
    shapes.push(svg("line", { x1: x(1), x2: x(1), y1: top + 8, y2: top + 32, class: "ring" }));
    for (const seed of seeds) {
      const style = "fill: var(--strong)";
      shapes.push(svg("circle", { cx: x(seed), cy: top + 20, r: 3, style }));
    }
    const cell = { x: 316, y: top + 20, style: "text-anchor: end", "data-cell": measure };
    shapes.push(svg("text", cell, number(value, 2)));
  });
  if (flat) shapes.push(words(12, 14 + 58 * bars.length, "no tree in this world, so nothing to absorb"));
  shapes.push(words(x(1), 308, "1", "middle"), words(12, 308, "0", "middle"));
  return { viewBox: "0 0 320 326", shapes };
}
