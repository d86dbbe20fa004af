// data: {names [n], places [n][2], radii [r], steps, start {x, y}, p [offset][r][step][n] in 1/1000}
// The point lives in `data.at`; what is shown is the nearest position that was computed.

const UNIT = 92; // pixels of radius 1
const MIDDLE = 160;

function draw(data, [offset]) {
  data.at ??= data.start;
  const { x, y } = data.at;
  const length = Math.hypot(x, y);
  const turn = ((Math.atan2(y, x) / (2 * Math.PI)) + 1) % 1;
  const radius = nearest(data.radii, length);
  const step = Math.round(turn * data.steps) % data.steps;
  const p = data.p[offset][radius][step].map((v) => v / 1000);
  const rest = Math.max(0, 1 - p.reduce((sum, v) => sum + v, 0));
  const day = data.places.map(([a, b]) => Math.hypot(a - x, b - y));
  const near = day.indexOf(Math.min(...day));
  const wanted = (near + offset + 1) % data.names.length;
  const most = p.indexOf(Math.max(...p));
  const degrees = Math.round(turn * 360) % 360;
  const where = length < 0.1
    ? "in the middle, at no day"
    : `at ${degrees} degrees, ${number(length, 2)} of the radius, nearest to ${data.names[near]}`;
  const moved = `${offset + 1} day${offset ? "s" : ""} from there`;
  return {
    panels: [
      {
        name: "The plane of the circle",
        label: `${data.names.length} days around a circle and one point to move, ${where}.`,
        viewBox: "0 0 320 320",
        shapes: plane(data, near),
        handles: [{
          x: MIDDLE + UNIT * x, y: MIDDLE - UNIT * y, name: "the start", value: degrees,
          text: where, to: (px, py) => { data.at = within(data, (px - MIDDLE) / UNIT, (MIDDLE - py) / UNIT); },
        }],
      },
      {
        name: `What the model answers to "${moved}"`,
        label: data.names.map((name, i) => `${name} ${number(p[i], 2)}`).join(", ")
          + `, no day ${number(rest, 2)}`,
        viewBox: "0 0 320 320",
        shapes: bars([...data.names, "no day"], [...p, rest], wanted),
      },
    ],
    summary: `The start is ${where}; ${moved}, the model says `
      + (rest > p[most] ? `no day at all (${number(rest, 2)}). ` : `${data.names[most]} with ${number(p[most], 2)}. `)
      + (length < 0.1 ? "" : `From ${data.names[near]} it should be ${data.names[wanted]}.`),
  };
}

function nearest(values, wanted) {
  const far = values.map((value) => Math.abs(value - wanted));
  return far.indexOf(Math.min(...far));
}

function within({ radii }, x, y) {
  const largest = radii[radii.length - 1];
  const shrink = Math.min(1, largest / Math.max(Math.hypot(x, y), 1e-9));
  return { x: x * shrink, y: y * shrink };
}

function text(x, y, content, kind = "", anchor = "middle") {
  return svg("text", { x, y, class: kind, style: `text-anchor: ${anchor}` }, content);
}

function plane({ names, places, at }, near) {
  const shapes = [
    svg("line", { x1: 8, y1: MIDDLE, x2: 312, y2: MIDDLE, class: "ring" }),
    svg("line", { x1: MIDDLE, y1: 8, x2: MIDDLE, y2: 312, class: "ring" }),
    svg("circle", { cx: MIDDLE, cy: MIDDLE, r: UNIT, class: "ring" }),
  ];
  places.forEach(([x, y], i) => {
    const [cx, cy] = [MIDDLE + UNIT * x, MIDDLE - UNIT * y];
    const fill = `fill: var(${i === near ? "--accent" : "--soft"})`;
    shapes.push(svg("circle", { cx, cy, r: 5, style: fill }));
    shapes.push(text(MIDDLE + 1.35 * UNIT * x, MIDDLE - 1.28 * UNIT * y, names[i].slice(0, 3)));
  });
  const [cx, cy] = [MIDDLE + UNIT * at.x, MIDDLE - UNIT * at.y];
  const line = "stroke: var(--strong); stroke-width: 2.5";
  shapes.push(svg("line", { x1: MIDDLE, y1: MIDDLE, x2: cx, y2: cy, style: line }));
  shapes.push(svg("circle", { cx, cy, r: 9, style: "fill: var(--strong)" }));
  return shapes;
}

function bars(names, p, wanted) {
  return names.flatMap((name, i) => {
    const y = 22 + 39 * i;
    const width = 160 * p[i];
    const fill = `fill: var(${i === wanted ? "--accent" : "--soft"})`;
    return [
      text(92, y, name, i === wanted ? "" : "note", "end"),
      svg("rect", { x: 100, y: y - 11, width, height: 22, style: fill }),
      svg("text", {
        x: 106 + width, y, class: "note", style: "text-anchor: start", "data-p": i,
      }, number(p[i], 2)),
    ];
  });
}
