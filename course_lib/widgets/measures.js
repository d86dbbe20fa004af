// data: {names, stored [n_p][n_sizes][n_seeds], measured [n_names][n_dictionaries][n_p][n_sizes][n_seeds],
//        fvu [n_dictionaries][n_p][n_sizes][n_seeds], d_hidden, top}

const MARKS = ["circle", "square", "triangle", "cross"];
const INKS = ["var(--accent)", "var(--positive)", "var(--strong)", "var(--soft)"];

function draw(data, [density, dictionary]) {
  const stored = data.stored[density];
  const counts = data.names.map((_, m) => data.measured[m][dictionary][density]);
  const ratios = counts.map((table) => table.map((row, i) => mean(row) / mean(stored[i])));
  const fvu = data.fvu[dictionary][density].flat();
  const said = data.names.map((name, m) => `${name} ${number(mean(ratios[m]), 2)}`).join(", ");
  const last = stored.length - 1;
  const many = data.names.map((name, m) => `${name} ${number(mean(counts[m][last]), 1)}`).join(", ");
  return {
    panels: [
      {
        name: "Counted against stored",
        label: `Counts of four measures against the number of features stored. Where `
          + `${number(mean(stored[last]), 0)} are stored: ${many}.`,
        ...scatter(data, stored, counts),
      },
      {
        name: "Counted over stored",
        label: `Mean of count over truth: ${said}.`,
        ...bars(data, ratios),
      },
    ],
    summary: `With ${number(mean(stored[last]), 1)} features stored: ${many}. The SAEs leave `
      + `${number(Math.min(...fvu), 2)} to ${number(Math.max(...fvu), 2)} of the variance.`,
  };
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

function words(x, y, content, anchor = "start") {
  return svg("text", { x, y, class: "note", style: `text-anchor: ${anchor}` }, content);
}

function mark(m, x, y, size) {
  const style = `fill: none; stroke: ${INKS[m]}; stroke-width: 2`;
  const kind = MARKS[m % MARKS.length];
  if (kind === "circle") return svg("circle", { cx: x, cy: y, r: size, style });
  if (kind === "square") {
    return svg("rect", { x: x - size, y: y - size, width: 2 * size, height: 2 * size, style });
  }
  const path = kind === "triangle"
    ? `M ${x} ${y - size} L ${x + size} ${y + size} L ${x - size} ${y + size} Z`
    : `M ${x - size} ${y - size} L ${x + size} ${y + size} M ${x - size} ${y + size} L ${x + size} ${y - size}`;
  return svg("path", { d: path, style });
}

function scatter(data, stored, counts) {
  const right = 1.08 * Math.max(...data.stored.flat(2));
  const x = (value) => 36 + (276 * value) / right;
  const y = (value) => 272 - (250 * value) / data.top;
  const shapes = [
    svg("line", { x1: 36, y1: 272, x2: 312, y2: 272, class: "axis" }),
    svg("line", { x1: 36, y1: 18, x2: 36, y2: 272, class: "axis" }),
    svg("line", { x1: x(0), y1: y(0), x2: x(right), y2: y(right), class: "ideal" }),
    svg("line", { x1: 36, y1: y(data.d_hidden), x2: 312, y2: y(data.d_hidden), class: "truth" }),
    words(312, y(data.d_hidden) + 11, `${data.d_hidden} dimensions`, "end"),
    words(4, 8, "counted"),
    words(312, 306, "features stored", "end"),
  ];
  for (let tick = 0; tick <= right; tick += 12) shapes.push(words(x(tick), 288, tick, "middle"));
  const step = data.top > 60 ? 24 : 12;
  for (let tick = step; tick <= data.top; tick += step) shapes.push(words(32, y(tick), tick, "end"));
  counts.forEach((table, m) => table.forEach((row, i) => row.forEach((value, s) => {
    const one = mark(m, x(stored[i][s]), y(value), 4);
    one.setAttribute("data-mark", data.names[m]);
    shapes.push(one);
  })));
  return { viewBox: "0 0 320 316", shapes };
}

function bars(data, ratios) {
  const shapes = [];
  const top = 4;
  const x = (value) => 12 + (250 * Math.min(top, value)) / top;
  ratios.forEach((ratio, m) => {
    const y = 12 + 62 * m;
    const value = mean(ratio);
    shapes.push(mark(m, 18, y, 5), words(32, y, data.names[m]));
    shapes.push(svg("rect", { x: 12, y: y + 12, width: 250, height: 20, rx: 4, class: "cell" }));
    shapes.push(svg("rect", { x: 12, y: y + 12, width: x(value) - 12, height: 20, rx: 4, class: "bar" }));
    shapes.push(svg("line", { x1: x(1), y1: y + 8, x2: x(1), y2: y + 36, class: "truth" }));
    for (const end of [ratio[0], ratio[ratio.length - 1]]) shapes.push(mark(m, x(end), y + 22, 4));
    const cell = { x: 316, y: y + 22, style: "text-anchor: end", "data-cell": data.names[m] };
    shapes.push(svg("text", cell, number(value, 2)));
  });
  const bottom = 12 + 62 * ratios.length;
  for (let tick = 0; tick <= top; tick += 1) shapes.push(words(x(tick), bottom + 12, tick, "middle"));
  shapes.push(words(262, bottom + 34, "1: as many counted as stored", "end"));
  return { viewBox: "0 0 320 316", shapes };
}
