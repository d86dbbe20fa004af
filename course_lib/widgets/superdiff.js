// data: {paths [widths][way][time][point][2], signal [time], means [2][component][2],
//        stds [widths][2], ways [way]}

function draw({ paths, signal, means, stds, ways }, [time, way, width]) {
  const points = paths[width][way][time];
  const alpha = signal[time];
  const spread = stds[width].map((std) => Math.sqrt(alpha ** 2 * std ** 2 + 1 - alpha ** 2));
  const logs = points.map((x) => means.map((centres, i) => logDensity(x, centres, alpha, spread[i])));
  const gap = mean(logs.map(([a, b]) => Math.abs(a - b)));
  const onMode = mean(points.map((x) => Number(means.some((centres, i) =>
    centres.some((c) => distance(x, c, alpha) < 3 * spread[i])))));
  const first = mean(logs.map(([a, b]) => Number(a > b)));
  const where = `${(100 * onMode).toFixed(0)} % of the particles are within three standard deviations of a mode`;
  return {
    panels: [
      {
        name: "Particles in the plane",
        label: `${points.length} particles and the modes of both models: ${where}.`,
        ...plane(points, logs, means, alpha, spread),
      },
      {
        name: "log q under model 1 and model 2",
        label: `The log-density of each particle under both models: the mean gap is ${number(gap, 2)} nats.`,
        ...densities(logs),
      },
    ],
    summary: `Combined by ${ways[way]}: ${where}; `
      + `${(100 * first).toFixed(0)} % are likelier under model 1. Mean gap of the true `
      + `log-densities: ${number(gap, 2)} nats.`,
  };
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
const distance = (x, c, alpha) => Math.hypot(x[0] - alpha * c[0], x[1] - alpha * c[1]);

// log of a mixture of equal weights in the plane
function logDensity(x, centres, alpha, std) {
  const parts = centres.map((c) => -0.5 * (distance(x, c, alpha) / std) ** 2);
  const top = Math.max(...parts);
  const sum = parts.reduce((total, part) => total + Math.exp(part - top), 0);
  return top + Math.log(sum / centres.length) - Math.log(2 * Math.PI * std ** 2);
}

const note = (x, y, text, anchor = "middle") =>
  svg("text", { x, y, class: "note", style: `text-anchor: ${anchor}` }, text);

function plane(points, logs, means, alpha, spread) {
  const [centre, unit] = [160, 48];
  const at = ([x, y]) => [centre + unit * x, centre - unit * y];
  const shapes = [svg("rect", { x: 0, y: 0, width: 320, height: 320, class: "cell" })];
  means.forEach((centres, i) => centres.forEach((c) => {
    const [cx, cy] = at(c.map((value) => alpha * value));
    const r = Math.min(150, 2 * unit * spread[i]);
    shapes.push(svg("circle", { cx, cy, r, class: i ? "wrongs" : "misses", "data-mode": i }));
  }));
  points.forEach((x, k) => {
    const [cx, cy] = at(x.map((value) => Math.max(-3.25, Math.min(3.25, value))));
    shapes.push(svg("circle", { cx, cy, r: 3, class: colour(logs[k]), "data-point": k }));
  });
  shapes.push(note(160, 334, "x₁, from −3.3 to 3.3"), note(4, 334, "x₂ upwards", "start"));
  return { viewBox: "0 0 320 344", shapes };
}

// Clearly likelier under one model takes its colour.
const colour = ([a, b]) => (Math.abs(a - b) < 2 ? "hit" : a > b ? "miss" : "wrong");

function densities(logs) {
  const [low, high, left, size] = [-20, 2, 34, 282];
  const scale = (value) => (Math.max(low, Math.min(high, value)) - low) / (high - low);
  const at = ([a, b]) => [left + size * scale(a), 4 + size * (1 - scale(b))];
  const shapes = [svg("rect", { x: left, y: 4, width: size, height: size, class: "cell" })];
  shapes.push(svg("line", { x1: left, y1: 4 + size, x2: left + size, y2: 4, class: "truth" }));
  for (const value of [-20, -15, -10, -5, 0]) {
    const [x, y] = at([value, value]);
    shapes.push(note(x, 298, number(value, 0)), note(left - 5, y, number(value, 0), "end"));
  }
  logs.forEach((pair, k) => {
    const [x, y] = at(pair);
    const kind = { class: colour(pair), "data-pair": k };
    const down = pair[1] < low, over = pair[0] < low;
    if (down || over) {
      const d = over ? `M${x} ${y} l8 -4 v8 z` : `M${x} ${y} l-4 -8 h8 z`;
      shapes.push(svg("path", { d, ...kind }));
    } else shapes.push(svg("circle", { cx: x, cy: y, r: 3, ...kind }));
  });
  shapes.push(note(left + size / 2, 318, "log q under model 1; upwards: under model 2"));
  return { viewBox: "0 0 320 344", shapes };
}
