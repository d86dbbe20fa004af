// data: {names [n], parent [n] (-1 for roots), inputs [{on [feature], plane [two features]}],
//        atoms [n_dictionaries][n_inputs][n][2], path [..][n_inputs][steps+1][3] (x, y, outside),
//        latents [..][n_inputs][steps], values [..][n_inputs][steps], range [lowest, highest]}

function draw(data, [input, dictionary, step]) {
  const { on, plane } = data.inputs[input];
  const trace = {
    atoms: data.atoms[dictionary][input],
    path: data.path[dictionary][input],
    latents: data.latents[dictionary][input],
    values: data.values[dictionary][input],
  };
  const code = codes(trace, data.names.length, step);
  const now = step > 0 && trace.values[step - 1] > 0 ? trace.latents[step - 1] : null;
  const left = trace.path.map((point) => Math.hypot(...point));
  return {
    panels: [
      {
        name: "What is left",
        label: describePlane(data.names, plane, trace, step, left),
        ...residual(data.names, plane, trace, step, now, data.range),
      },
      {
        name: "What has been taken",
        label: describeTree(data.names, on, code),
        ...tree(data.names, data.parent, on, code, now),
      },
    ],
    summary: summarise(data.names, on, trace, step, now, left, code),
  };
}

function codes({ latents, values }, n, step) {
  const code = Array(n).fill(0);
  for (let t = 0; t < step; t += 1) code[latents[t]] += values[t];
  return code;
}

const listed = (words) => words.join(", ") || "nothing";

function summarise(names, on, { latents, values }, step, now, left, code) {
  const truth = `Planted: ${listed(on.map((i) => names[i]))}. `;
  const active = code.map((z, i) => [z, names[i]]).filter(([z]) => z > 0);
  const taken = listed(active.map(([z, name]) => `${name} ${number(z, 2)}`));
  if (step === 0) return `${truth}Nothing is taken yet; length of the input: ${number(left[0], 2)}.`;
  const what = now === null
    ? `Step ${step} takes nothing: no latent points along what is left.`
    : `Step ${step} takes ${names[now]} with ${number(values[step - 1], 2)}; what is left falls from `
      + `${number(left[step - 1], 2)} to ${number(left[step], 2)}.`;
  return `${truth}${what} Active so far: ${taken}.`;
}

function words(x, y, content, anchor = "middle", kind = "note") {
  return svg("text", { x, y, class: kind, style: `text-anchor: ${anchor}` }, content);
}

function arrow(from, to, style) {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const length = Math.hypot(dx, dy);
  const group = svg("g", {});
  group.append(svg("line", { x1: from[0], y1: from[1], x2: to[0], y2: to[1], style }));
  if (length > 9) {
    const [ux, uy] = [(8 * dx) / length, (8 * dy) / length];
    const corner = (side) => `${to[0] - ux - (side * uy) / 2},${to[1] - uy + (side * ux) / 2}`;
    const points = `${to[0]},${to[1]} ${corner(1)} ${corner(-1)}`;
    group.append(svg("polygon", { points, style: `${style}; fill: currentColor` }));
  }
  return group;
}

function residual(names, plane, { atoms, path, latents, values }, step, now, [low, high]) {
  const unit = 296 / (high - low);
  const [cx, cy] = [12 - unit * low, 308 + unit * low];
  const at = ([x, y]) => [cx + unit * x, cy - unit * y];
  const shapes = [
    svg("line", { x1: 8, y1: cy, x2: 312, y2: cy, class: "ring" }),
    svg("line", { x1: cx, y1: 8, x2: cx, y2: 312, class: "ring" }),
    words(312, cy + 15, `true ${names[plane[0]]}`, "end"),
    words(cx + 8, 12, `true ${names[plane[1]]}, as far as it is new`, "start"),
  ];
  const labels = [];
  const taken = new Set(latents.slice(0, step).filter((_, t) => values[t] > 0));
  atoms.forEach((atom, i) => {
    if (Math.hypot(...atom) < 0.3) return;
    const tip = at(atom);
    const strong = taken.has(i);
    const line = svg("line", {
      x1: cx, y1: cy, x2: tip[0], y2: tip[1], "data-atom": i,
      style: `stroke: ${i === now ? "var(--accent)" : "var(--soft)"}; `
        + `stroke-width: ${strong ? 2.5 : 1}; stroke-dasharray: ${strong ? "none" : "3 4"}`,
    });
    const [ux, uy] = atom.map((v) => v / Math.hypot(...atom));
    const beside = [tip[0] + 6 * ux + 13 * uy, tip[1] - 6 * uy + 13 * ux];
    shapes.push(line);
    if (labels.some(([x, y]) => Math.hypot(x - beside[0], y - beside[1]) < 14)) return;
    labels.push(beside);
    shapes.push(words(...beside, names[i], "middle", strong ? "sum" : "note"));
  });
  for (let t = 1; t <= step; t += 1) {
    const [a, b] = [at(path[t - 1]), at(path[t])];
    shapes.push(svg("line", {
      x1: a[0], y1: a[1], x2: b[0], y2: b[1],
      style: "stroke: var(--positive); stroke-width: 1.5; stroke-dasharray: 5 4",
    }));
    shapes.push(svg("circle", { cx: a[0], cy: a[1], r: 3.5, style: "fill: var(--positive)" }));
  }
  const tip = at(path[step]);
  const style = "stroke: currentColor; stroke-width: 3";
  const shaft = arrow([cx, cy], tip, style);
  shaft.setAttribute("style", "color: var(--strong)");
  shaft.setAttribute("data-residual", path[step].slice(0, 2).join(" "));
  shapes.push(shaft, svg("circle", { cx: tip[0], cy: tip[1], r: 4.5, style: "fill: var(--strong)" }));
  const outside = `outside this plane: ${number(path[step][2], 2)}`;
  shapes.push(words(8, 330, "thick: what is left", "start"), words(312, 330, outside, "end"));
  return { viewBox: "0 0 320 344", shapes };
}

function places(parent) {
  const families = parent.map((_, i) => i).filter((i) => parent.includes(i));
  const singles = parent.map((_, i) => i).filter((i) => parent[i] < 0 && !parent.includes(i));
  const place = [];
  const children = parent.map((up, i) => [up, i]).filter(([up]) => up >= 0);
  const across = (k, n) => 160 + (k - (n - 1) / 2) * Math.min(38, 304 / n);
  children.forEach(([, i], k) => { place[i] = [across(k, children.length), 176]; });
  for (const i of families) {
    const own = children.filter(([up]) => up === i).map(([, j]) => place[j][0]);
    place[i] = [own.reduce((a, b) => a + b, 0) / own.length, 76];
  }
  singles.forEach((i, k) => { place[i] = [across(k, singles.length), 270]; });
  return place;
}

function tree(names, parent, on, code, now) {
  const place = places(parent);
  const most = Math.max(...code, 1);
  const shapes = [
    words(4, 14, "ring: planted and active", "start"),
    words(316, 14, "filled: taken, with its z", "end"),
  ];
  parent.forEach((up, i) => {
    if (up < 0) return;
    const [a, b] = [place[up], place[i]];
    shapes.push(svg("line", { x1: a[0], y1: a[1], x2: b[0], y2: b[1], class: "ring" }));
  });
  place.forEach(([x, y], i) => {
    const lit = code[i] > 0;
    const share = `--share: ${(100 * Math.min(1, 0.25 + code[i] / most)).toFixed(0)}%`;
    const group = svg("g", {
      class: lit ? "feature" : "feature faint", style: share,
      "data-node": i, "data-z": code[i].toFixed(2), "data-on": on.includes(i),
    });
    if (on.includes(i)) {
      const ring = "fill: none; stroke: var(--positive); stroke-width: 3.5; stroke-dasharray: none";
      group.append(svg("circle", { cx: x, cy: y, r: 17, style: ring }));
    }
    if (i === now) {
      const halo = "fill: none; stroke: var(--accent); stroke-width: 3; stroke-dasharray: none";
      group.append(svg("circle", { cx: x, cy: y, r: 21.5, style: halo }));
    }
    group.append(svg("circle", { cx: x, cy: y, r: 14 }));
    group.append(svg("text", { x, y, class: "digit", style: "font-size: 12px" }, names[i]));
    shapes.push(group);
    const beside = parent.includes(i) ? y - 32 : y + 32;
    if (lit) shapes.push(words(x, beside, number(code[i], 2), "middle", "sum"));
  });
  return { viewBox: "0 0 320 344", shapes };
}

function describePlane(names, plane, { latents, values }, step, left) {
  const taken = latents.slice(0, step).filter((_, t) => values[t] > 0).map((i) => names[i]);
  return `The plane of the true directions ${names[plane[0]]} and ${names[plane[1]]}, with the `
    + `dictionary's atoms in it. Length of the residual after steps 0 to ${step}: `
    + `${left.slice(0, step + 1).map((v) => number(v, 2)).join(", ")}; taken: ${listed(taken)}.`;
}

function describeTree(names, on, code) {
  const active = code.map((z, i) => [z, names[i]]).filter(([z]) => z > 0);
  return `The tree of features. Planted and active: ${listed(on.map((i) => names[i]))}. `
    + `Taken: ${listed(active.map(([z, name]) => `${name} with ${number(z, 2)}`))}.`;
}
