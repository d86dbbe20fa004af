// data: {w_in [3], w_out [3], named [{mark, v [3]}], landings [n][3], curve [m][3], awake [s]}
// The direction lives in `data.v`, of norm 1; `data.jump` is the name it was last sent to.

const MIDDLE = 160;
const RADIUS = 130;
const FINE = 44; // cells along the diameter of the map
const DARKEST = 2; // the effect with the fullest colour
const ZERO = 112; // x of 0, and pixels of 1, in the bars
const ONE = 88;
const HALO = "paint-order: stroke; stroke: var(--card); stroke-width: 3px";

function draw(data, [jump, wake]) {
  if (data.jump !== jump) {
    data.jump = jump;
    data.v = data.named[jump].v;
  }
  const { v } = data;
  const share = data.awake[wake];
  const does = effects(data, share);
  const name = data.named.find((known) => Math.abs(dot(known.v, v)) > 1 - 1e-9);
  const place = v.map((value, i) => `${number(value, 2)} e${"₁₂₃"[i]}`).join(" + ").replaceAll("+ −", "− ");
  const [all, row, none] = does;
  return {
    panels: [
      {
        name: "All directions, seen from e₃",
        label: `A disc of all directions with a line where a patch recovers everything, `
          + `${data.landings.length} dots where searches landed, and the direction ${place}.`,
        viewBox: "0 0 320 320",
        shapes: map(data),
        handles: [{
          ...spot(v), value: Math.round(Math.atan2(v[1], v[0]) * 180 / Math.PI), text: place,
          name: "the direction v",
          to: (x, y) => { data.v = direction((x - MIDDLE) / RADIUS, (MIDDLE - y) / RADIUS); },
        }],
      },
      {
        name: "What is recovered",
        label: does.map(({ what, value }) => `${what}: ${shown(value)}`).join("; ") + ".",
        viewBox: "0 0 320 320",
        shapes: bars(does),
      },
    ],
    summary: `v = ${place}${name ? ` (${name.mark})` : ""}: patching along it recovers `
      + `${shown(all.value)}, of which ${shown(row.value)} is read off its row-space part and `
      + `${shown(none.value)} off its null-space part. `
      + (share ? `With neuron 2 awake on ${number(100 * share, 0)} % of the inputs, R² is ${shown(does[6].value)}.` : ""),
  };
}

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const times = (a, s) => a.map((value) => value * s);
const shown = (value) => (value === null ? "no such part" : number(value, 2));

// What patching along a direction of any length recovers; null for no direction.
function effect({ w_in, w_out }, v) {
  const size = dot(v, v);
  return size < 1e-9 ? null : dot(v, w_in) * dot(v, w_out) / size;
}

function effects(data, share) {
  const { v, w_in, w_out } = data;
  const row = times(w_out, dot(v, w_out) / dot(w_out, w_out));
  const none = v.map((value, i) => value - row[i]);
  const writes = dot(v, w_out);
  const all = effect(data, v);
  // Neuron 2's unit noise comes into the patch through v2, and leaves it through what v writes.
  const r2 = 1 - (all - 1) ** 2 - share * (v[1] * writes) ** 2;
  return [
    { what: "patching along v", value: all },
    { what: "… as far as v's row-space part reads", value: dot(row, w_in) * writes },
    { what: "… as far as v's null-space part reads", value: dot(none, w_in) * writes },
    { what: "patching along the row-space part alone", value: effect(data, row) },
    { what: "patching along the null-space part alone", value: effect(data, none) },
    { what: "patching along v, nothing read off e₁", value: dot([0, v[1], v[2]], w_in) * writes },
    { what: "R² of the patch along v", value: r2 },
  ];
}

// Equal areas: the distance from the middle is √(1 - v3), and 1 on the rim, where v3 is 0.
function spot(v) {
  const w = v[2] < 0 ? times(v, -1) : v;
  const stretch = RADIUS / Math.sqrt(1 + w[2]);
  return { x: MIDDLE + stretch * w[0], y: MIDDLE - stretch * w[1] };
}

function direction(x, y) {
  const far = Math.hypot(x, y);
  const inside = Math.min(1, far);
  const stretch = far > 0 ? inside / far * Math.sqrt(2 - inside * inside) : 0;
  return [x * stretch, y * stretch, 1 - inside * inside];
}

function cells(data) {
  const side = 2 * RADIUS / FINE;
  const group = svg("g", {});
  for (let i = 0; i < FINE; i += 1) {
    for (let j = 0; j < FINE; j += 1) {
      const [x, y] = [(2 * i + 1) / FINE - 1, 1 - (2 * j + 1) / FINE];
      if (Math.hypot(x, y) > 1 + 2 / FINE) continue;
      const value = effect(data, direction(x, y));
      const shade = Math.min(100, 100 * Math.abs(value) / DARKEST).toFixed(0);
      group.append(svg("rect", {
        x: MIDDLE - RADIUS + side * i, y: MIDDLE - RADIUS + side * j, width: side + 0.5,
        height: side + 0.5, class: value < 0 ? "negative" : "positive", style: `--share: ${shade}%`,
      }));
    }
  }
  const arc = `A ${RADIUS} ${RADIUS} 0 0 0`;
  const [left, right] = [MIDDLE - RADIUS, MIDDLE + RADIUS];
  const around = `M 0 0 H 320 V 320 H 0 Z M ${left} ${MIDDLE} ${arc} ${right} ${MIDDLE} ${arc} ${left} ${MIDDLE} Z`;
  group.append(svg("path", { d: around, style: "fill: var(--card); fill-rule: evenodd" }));
  return group;
}

function map(data) {
  data.cells ??= cells(data); // the map stays as it is when the direction moves
  const curve = data.curve.map(spot).map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`);
  const here = spot(data.v);
  const ink = "fill: none; stroke: var(--ink); stroke-width: 2.5";
  const shapes = [
    data.cells,
    svg("circle", { cx: MIDDLE, cy: MIDDLE, r: RADIUS, class: "ring" }),
    svg("polyline", { points: curve.join(" "), style: ink }),
  ];
  for (const v of data.landings) {
    const { x, y } = spot(v);
    shapes.push(svg("circle", { cx: x, cy: y, r: 2.5, class: "landing", style: "fill: var(--accent)" }));
  }
  for (const { mark, v } of data.named) {
    const { x, y } = spot(v);
    shapes.push(svg("circle", { cx: x, cy: y, r: 4, style: "fill: var(--card); stroke: var(--ink); stroke-width: 1.5" }));
    const beside = v[2] < 1e-6 && v[0] > 0.1; // on the right of the rim
    shapes.push(svg("text", {
      x: x + (beside ? 11 : 0), y: y - (beside ? 4 : 14),
      style: `${HALO}; text-anchor: ${beside ? "start" : "middle"}`,
    }, mark));
  }
  const strong = "fill: none; stroke: var(--strong); stroke-width: 3";
  shapes.push(svg("circle", { cx: here.x, cy: here.y, r: 9, style: strong }));
  if (data.v[2] < 1e-6) { // the other end of a line shows on the rim, too
    const other = { cx: 2 * MIDDLE - here.x, cy: 2 * MIDDLE - here.y };
    shapes.push(svg("circle", { ...other, r: 9, style: strong, "stroke-dasharray": "3 3" }));
  }
  return shapes;
}

function bars(does) {
  const axis = (at) => svg("line", { x1: ZERO + ONE * at, y1: 4, x2: ZERO + ONE * at, y2: 300, class: at ? "truth" : "axis" });
  const shapes = [axis(0), axis(1)];
  for (const at of [-1, 0, 1, 2]) shapes.push(svg("text", { x: ZERO + ONE * at, y: 310, class: "note" }, number(at, 0)));
  does.forEach(({ what, value }, i) => {
    const y = 12 + 42 * i;
    const end = ZERO + ONE * Math.max(-1.2, Math.min(2.2, value ?? 0));
    const fill = value < 0 ? "negative" : "positive";
    shapes.push(svg("text", { x: 4, y, class: i ? "note" : "", style: `${HALO}; text-anchor: start` }, what));
    shapes.push(svg("rect", {
      x: Math.min(ZERO, end), y: y + 9, width: Math.abs(end - ZERO), height: 14, class: fill, style: "--share: 100%",
    }));
    const [x, anchor] = value < 0 ? [ZERO + 5, "start"] : end > 260 ? [end - 5, "end"] : [end + 5, "start"];
    shapes.push(svg("text", { x, y: y + 16.5, "data-value": i, style: `${HALO}; text-anchor: ${anchor}` }, shown(value)));
  });
  return shapes;
}
