// data: {rows [space][size][arrangement][direction][3], welch [space][size]}

function draw({ rows, welch }, [space, size, arrangement, active]) {
  const w = rows[space][size][arrangement];
  const k = active + 1;
  const overlap = w.map((a) => w.map((b) => Math.abs(dot(a, b))));
  let pair = [0, 1];
  overlap.forEach((line, i) => line.forEach((value, j) => {
    if (i < j && value > overlap[pair[0]][pair[1]]) pair = [i, j];
  }));
  const mu = overlap[pair[0]][pair[1]];
  const codes = allCodes(w.length, k);
  const named = (reader) => codes.filter((code) => isNamed(reader, code, w, k)).length;
  const bound = mu > 1e-9 ? `k < ${number((1 + 1 / mu) / 2, 2)}` : "any k";
  const where = space ? "on the sphere" : "in the plane";
  return {
    panels: [
      {
        name: `${w.length} directions ${where}`,
        label: `${w.length} lines through the origin, with a tip each to move. `
          + w.map((a, i) => `Direction ${i + 1}: ${place(a, space)}`).join("; ") + ".",
        ...lines(w, space, pair),
      },
      {
        name: "|cos| of every two",
        label: `Table of absolute cosines; the largest, ${number(mu, 2)}, is that of directions `
          + `${pair[0] + 1} and ${pair[1] + 1}.`,
        ...table(overlap, pair),
      },
    ],
    summary: `Coherence ${number(mu, 2)}, directions ${pair[0] + 1} and ${pair[1] + 1}; the Welch `
      + `bound is ${number(welch[space][size], 2)}. Reading is guaranteed for ${bound}. Of `
      + `${codes.length} codes with k = ${k}, one look names ${named(oneLook)}, pursuit `
      + `${named(pursuit)}.`,
  };
}

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const add = (a, b, times) => a.map((value, i) => value + times * b[i]);
const degrees = (a) => Math.round((Math.atan2(a[1], a[0]) * 180) / Math.PI);
const place = (a, space) => `${number(degrees(a), 0)} degrees`
  + (space ? `, ${number((Math.asin(Math.min(1, a[2])) * 180) / Math.PI, 0)} towards you` : "");

// Every choice of k of n with every sign; all signs turned give the same case, so the first is +1.
function allCodes(n, k) {
  if (k === 0) return [[]];
  const codes = [];
  for (const code of allCodes(n, k - 1)) {
    const last = code.length ? code[code.length - 1][0] : -1;
    for (let i = last + 1; i < n; i += 1) {
      for (const sign of code.length ? [1, -1] : [1]) codes.push([...code, [i, sign]]);
    }
  }
  return codes;
}

function isNamed(reader, code, w, k) {
  const x = code.reduce((sum, [i, sign]) => add(sum, w[i], sign), [0, 0, 0]);
  const found = reader(x, w, k);
  return code.every(([i]) => found.has(i));
}

// The k largest readings; a draw with one that is left out names neither.
function oneLook(x, w, k) {
  const reading = w.map((a) => Math.abs(dot(x, a)));
  const next = [...reading].sort((a, b) => b - a)[k] ?? -1;
  return new Set(reading.flatMap((value, i) => (value > next + 1e-6 ? [i] : [])));
}

function pursuit(x, w, k) {
  const taken = new Set();
  const basis = [];
  let rest = x;
  while (taken.size < k) {
    const reading = w.map((a, i) => (taken.has(i) ? -1 : Math.abs(dot(rest, a))));
    const best = reading.indexOf(Math.max(...reading));
    taken.add(best);
    let fresh = basis.reduce((left, b) => add(left, b, -dot(left, b)), w[best]);
    const length = Math.sqrt(dot(fresh, fresh));
    if (length > 1e-6) {
      fresh = fresh.map((value) => value / length);
      basis.push(fresh);
      rest = add(rest, fresh, -dot(rest, fresh));
    }
  }
  return taken;
}

function lines(w, space, pair) {
  const [cx, cy, unit] = [160, 160, 138];
  const shapes = [svg("circle", { cx, cy, r: unit, class: "ring" })];
  if (space) {
    for (const height of [30, 60]) {
      const r = unit * Math.cos((height * Math.PI) / 180);
      shapes.push(svg("circle", { cx, cy, r, class: "ring dotted" }));
    }
  }
  const tip = (a) => [cx + unit * a[0], cy - unit * a[1]];
  w.forEach((a, i) => {
    const [x, y] = tip(a);
    const [x1, y1] = space ? [cx, cy] : [2 * cx - x, 2 * cy - y];
    const group = svg("g", { class: "feature", style: `--share: ${pair.includes(i) ? 100 : 0}%` });
    group.append(
      svg("line", { x1, y1, x2: x, y2: y, class: "shaft", "stroke-width": pair.includes(i) ? 4 : 2 }),
      svg("circle", { cx: x, cy: y, r: 12 }),
      svg("text", { x, y, class: "digit" }, i + 1),
    );
    shapes.push(group);
  });
  const text = space ? "dotted: 30\u00b0 and 60\u00b0 towards you" : "lines, so both ends are one";
  shapes.push(svg("text", { x: 160, y: 314, class: "note" }, text));
  const handles = w.map((a, i) => {
    const [x, y] = tip(a);
    const to = (px, py) => { w[i] = direction((px - cx) / unit, (cy - py) / unit, space); };
    return { x, y, value: degrees(a), text: place(a, space), to };
  });
  return { viewBox: "0 0 320 324", shapes, handles };
}

// A point of the drawing as a unit vector: on the circle, or on the near half of the sphere.
function direction(x, y, space) {
  const length = Math.hypot(x, y) || 1;
  if (!space || length >= 1) return [x / length || (y ? 0 : 1), y / length, 0];
  return [x, y, Math.sqrt(1 - x * x - y * y)];
}

function table(overlap, pair) {
  const n = overlap.length;
  const [left, top] = [28, 24];
  const size = Math.min(56, (318 - left) / n);
  const shapes = [];
  overlap.forEach((line, i) => {
    const middle = top + size * (i + 0.5);
    shapes.push(svg("text", { x: 12, y: middle, class: "note" }, i + 1));
    shapes.push(svg("text", { x: left + size * (i + 0.5), y: 12, class: "note" }, i + 1));
    line.forEach((value, j) => {
      const share = i === j ? 0 : 100 * value;
      const box = { x: left + size * j + 1, y: top + size * i + 1, width: size - 2, height: size - 2 };
      const shade = `--share: ${share.toFixed(0)}%`;
      shapes.push(svg("rect", { ...box, rx: 4, class: "cell positive", style: shade }));
      const at = { x: left + size * (j + 0.5), y: middle, "data-cell": `overlap ${i} ${j}` };
      shapes.push(svg("text", at, i === j ? "" : number(value, 2)));
      const framed = (i === pair[0] && j === pair[1]) || (i === pair[1] && j === pair[0]);
      if (framed) shapes.push(svg("rect", { ...box, rx: 4, class: "framed" }));
    });
  });
  return { viewBox: `0 0 320 ${Math.ceil(top + size * n) + 4}`, shapes };
}
