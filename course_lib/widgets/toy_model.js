// data: {W [n_probability][n_decay][n_features][2], b_dec [..][..][n_features],
//        importance [n_decay][n_features], threshold, loss [..][..] or null}

function draw({ W, b_dec, importance, threshold, loss }, [row, column]) {
  const w = W[row][column];
  const bias = b_dec[row][column];
  const weight = importance[column];
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1];
  const overlap = w.map((a) => w.map((b) => dot(a, b)));
  const norm = w.map((a) => Math.hypot(...a));
  // D_i = |W_i|^2 / sum_j (W_i/|W_i| . W_j)^2, and 0 for a feature that is not there at all
  const share = overlap.map((line, i) => line[i] ** 2 / (dot2(line) || 1));
  const total = share.reduce((a, b) => a + b, 0);
  const represented = norm.map((length) => length > threshold);
  const count = represented.filter(Boolean).length;
  const longest = Math.max(1.1, ...W.flat(2).map((a) => Math.hypot(...a)));
  const cost = loss ? ` Loss ${number(loss[row][column], 4)}.` : "";
  return {
    panels: [
      {
        name: "Features in the hidden plane",
        label: describePlane(w, norm, represented, threshold),
        ...plane(w, norm, represented, weight, threshold, longest),
      },
      {
        name: "W Wᵀ, bias b, dimensionality D",
        label: describeOverlaps(overlap, bias, total),
        ...matrix(overlap, bias, share, total, represented, weight),
      },
    ],
    summary: `${count} of ${w.length} features represented (norm above ${threshold}). `
      + `Dimensionality of features 0 to ${w.length - 1}: `
      + `${share.map((d) => number(d, 2)).join(", ")}; sum ${number(total, 2)}.${cost}`,
  };
}

const dot2 = (line) => line.reduce((sum, value) => sum + value * value, 0);
const percent = (share) => `--share: ${(100 * Math.min(1, share)).toFixed(0)}%`;

function disc(x, y, name, weight, represented) {
  const circle = svg("circle", { cx: x, cy: y, r: 12 });
  const group = svg("g", { class: represented ? "feature" : "feature faint", style: percent(weight) });
  group.append(circle, svg("text", { x, y, class: "digit" }, name));
  return group;
}

function note(x, y, text, anchor = "start") {
  return svg("text", { x, y, class: "note", style: `text-anchor: ${anchor}` }, text);
}

function plane(w, norm, represented, weight, threshold, longest) {
  const [cx, cy, unit] = [160, 152, 134 / longest];
  const shapes = [
    svg("circle", { cx, cy, r: unit, class: "ring" }),
    svg("circle", { cx, cy, r: threshold * unit, class: "ring dotted" }),
    note(2, 10, "ring: norm 1"),
    note(318, 10, `dotted: norm ${threshold}`, "end"),
  ];
  const order = w.map((_, i) => i).sort((i, j) => norm[i] - norm[j]); // the longest on top
  for (const i of order.filter((i) => norm[i] > 0.1)) {
    const [x, y] = [cx + unit * w[i][0], cy - unit * w[i][1]];
    const width = represented[i] ? 1.5 + 3 * weight[i] : 1.5;
    const shaft = { x1: cx, y1: cy, x2: x, y2: y, class: "shaft", "stroke-width": width };
    const feature = disc(x, y, i, weight[i], represented[i]);
    feature.setAttribute("data-feature", i);
    feature.prepend(svg("line", shaft));
    shapes.push(feature);
  }
  shapes.push(note(160, 316, `importance (dashed: norm at most ${threshold})`, "middle"));
  const step = 320 / w.length;
  weight.forEach((value, i) => {
    shapes.push(disc(step * i + 13, 340, i, value, represented[i]));
    shapes.push(note(step * i + 28, 340, number(value, 2)));
  });
  return { viewBox: "0 0 320 356", shapes };
}

function matrix(overlap, bias, share, total, represented, weight) {
  const n = overlap.length;
  const [left, top, gap] = [28, 26, 7];
  const size = (318 - left - 2 * gap) / (n + 2);
  const x = (j) => left + size * j + gap * Math.max(0, j - n + 1);
  const y = (i) => top + size * i;
  const box = (i, j) => ({ x: x(j) + 1, y: y(i) + 1, width: size - 2, height: size - 2, rx: 4 });
  const middle = (i, j) => ({ x: x(j) + size / 2, y: y(i) + size / 2 });
  const shapes = [];
  const cell = (i, j, value, kind) => {
    const sign = value < 0 ? "negative" : "positive";
    shapes.push(svg("rect", { ...box(i, j), class: `cell ${sign}`, style: percent(Math.abs(value)) }));
    shapes.push(svg("text", { ...middle(i, j), "data-cell": `${kind} ${i} ${j}` }, number(value, 1)));
  };
  overlap.forEach((line, i) => {
    shapes.push(disc(13, y(i) + size / 2, i, weight[i], represented[i]));
    shapes.push(note(middle(0, i).x, 14, i, "middle"));
    line.forEach((value, j) => cell(i, j, value, "overlap"));
    cell(i, n, bias[i], "bias");
    const whole = box(i, n + 1);
    const height = whole.height * Math.min(1, share[i]);
    const bar = { ...whole, y: whole.y + whole.height - height, height, class: "bar" };
    shapes.push(svg("rect", { ...whole, class: "cell" }), svg("rect", bar));
    shapes.push(svg("text", { ...middle(i, n + 1), "data-cell": `share ${i}` }, number(share[i], 2)));
  });
  shapes.push(note(middle(0, n).x, 14, "b", "middle"), note(middle(0, n + 1).x, 14, "D", "middle"));
  const sum = { x: 318, y: y(n) + 14, style: "text-anchor: end", class: "sum" };
  shapes.push(svg("text", sum, `sum ${number(total, 2)}`));
  const lines = [
    "Row i, column j: what feature j adds to output i.",
    "b: bias of output i.",
    "D: the share of a dimension feature i has.",
  ];
  lines.forEach((text, k) => shapes.push(note(left, y(n) + 44 + 19 * k, text)));
  return { viewBox: `0 0 320 ${Math.ceil(y(n)) + 92}`, shapes };
}

function describePlane(w, norm, represented, threshold) {
  const phrases = w.map((a, i) => {
    const angle = Math.round((Math.atan2(a[1], a[0]) * 180) / Math.PI);
    return represented[i]
      ? `feature ${i} has norm ${number(norm[i], 2)} at ${number(angle, 0)} degrees`
      : `feature ${i} has norm ${number(norm[i], 2)} and is not represented`;
  });
  return `The ${w.length} features as arrows in the hidden plane: ${phrases.join("; ")}.`;
}

function describeOverlaps(overlap, bias, total) {
  const others = overlap.flatMap((line, i) => line.filter((_, j) => j !== i));
  const span = (values) => `${number(Math.min(...values), 1)} to ${number(Math.max(...values), 1)}`;
  return `Heat map of W times W transposed: the diagonal runs from ${span(overlap.map((line, i) => line[i]))}, `
    + `the overlaps between different features from ${span(others)}, the biases from ${span(bias)}; `
    + `the dimensionalities sum to ${number(total, 2)}.`;
}
