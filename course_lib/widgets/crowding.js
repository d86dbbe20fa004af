// data: {} (everything follows from the sliders)

const LEFT = 70;
const RIGHT = 300;

function draw(data, [size, active]) {
  const n = size + 4;
  const k = active + 1;
  const w = [...Array(n).keys()].map((i) => {
    const angle = Math.PI / 2 - (2 * Math.PI * i) / n;
    return [Math.cos(angle), Math.sin(angle)];
  });
  const sets = choose(n, k).map((on) => ({ on, lead: lead(w, on) }));
  const told = sets.filter((set) => set.lead > 1e-6).length;
  const { on } = sets.reduce((worst, set) => (set.lead < worst.lead - 1e-6 ? set : worst));
  const reading = readings(w, on);
  const names = on.map((i) => i + 1).join(" and ");
  return {
    panels: [
      {
        name: `${n} features, 2 dimensions`,
        label: `${n} directions in the plane; active: ${names}. A dot is what the network holds.`,
        ...plane(w, on),
      },
      {
        name: "What is read back",
        label: `Readings: ${reading.map((value, i) => `${i + 1} ${number(value, 2)}`).join(", ")}; `
          + `active: ${names}.`,
        ...bars(reading, on),
      },
    ],
    summary: summary(w, k, told, sets.length),
  };
}

function summary(w, k, told, all) {
  if (k === 1) {
    const next = Math.max(...readings(w, [0]).slice(1));
    return `All ${w.length} features live in two dimensions: whichever is active reads 1, `
      + `the next loudest ${number(next, 2)}.`;
  }
  return `${k} of ${w.length} features active at once: of ${all} such choices, ${told} are read `
    + `rightly. ${told === all ? "There is still room." : told ? "They talk over one another."
      : "Nobody can be heard."}`;
}

function choose(n, k, from = 0) {
  if (k === 0) return [[]];
  const sets = [];
  for (let i = from; i <= n - k; i += 1) {
    for (const rest of choose(n, k - 1, i + 1)) sets.push([i, ...rest]);
  }
  return sets;
}

const held = (w, on) => on.reduce(([x, y], i) => [x + w[i][0], y + w[i][1]], [0, 0]);

function readings(w, on) {
  const [x, y] = held(w, on);
  return w.map(([a, b]) => Math.max(0, a * x + b * y));
}

// How far the faintest active feature is above the loudest other.
function lead(w, on) {
  const reading = readings(w, on);
  const rest = reading.filter((_, i) => !on.includes(i));
  return Math.min(...on.map((i) => reading[i])) - Math.max(0, ...rest);
}

function plane(w, on) {
  const [centre, unit] = [150, 80];
  const at = ([x, y], length = 1) => [centre + length * unit * x, centre - length * unit * y];
  const shapes = [svg("circle", { cx: centre, cy: centre, r: unit, class: "ring" })];
  w.forEach((direction, i) => {
    const [x, y] = at(direction);
    const [tx, ty] = at(direction, 1.28);
    const lit = on.includes(i);
    const stroke = lit ? "var(--strong)" : "var(--soft)";
    shapes.push(
      svg("line", { x1: centre, y1: centre, x2: x, y2: y, stroke, "stroke-width": lit ? 4 : 1.5 }),
      svg("text", { x: tx, y: ty, "font-weight": lit ? 700 : 400 }, `${i + 1}`),
    );
  });
  const [x, y] = at(held(w, on));
  shapes.push(svg("circle", { cx: x, cy: y, r: 7, fill: "var(--accent)", "data-held": "" }));
  return { viewBox: "0 0 300 300", shapes };
}

function bars(reading, on) {
  const row = 250 / reading.length;
  const x = (value) => LEFT + ((RIGHT - LEFT - 40) * value) / 2;
  const shapes = [svg("line", { x1: LEFT, y1: 20, x2: LEFT, y2: 280, class: "axis" })];
  reading.forEach((value, i) => {
    const y = 25 + row * i;
    const lit = on.includes(i);
    const fill = lit ? "var(--strong)" : "var(--positive)";
    shapes.push(
      svg("text", { x: LEFT - 10, y: y + row / 2, style: "text-anchor: end" },
        lit ? `active ${i + 1}` : `${i + 1}`),
      svg("rect", { x: LEFT, y: y + 0.15 * row, width: x(value) - LEFT, height: 0.7 * row, fill }),
      svg("text", { x: x(value) + 8, y: y + row / 2, class: "note", style: "text-anchor: start" },
        number(value, 2)),
    );
  });
  return { viewBox: "0 0 300 300", shapes };
}
