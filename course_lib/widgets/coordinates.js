// data: {n_maps, kappas [k], vocabularies: [{name, concepts [n], words [m],
//        euclidean, causal [map][k][n][n], logits [map][k][m]}]}

function draw(data, [kappa, ...chosen]) {
  const map = data.n_maps > 1 ? chosen.shift() : 0;
  const one = data.vocabularies[chosen.length ? chosen[0] : 0];
  const euclidean = one.euclidean[map][kappa];
  const causal = one.causal[map][kappa];
  const logits = one.logits[map][kappa];
  const before = one.logits[map][0];
  const moved = Math.max(...logits.map((value, i) => Math.abs(value - before[i])));
  return {
    panels: [
      {
        name: "Euclidean cosines",
        label: `Heat map of Euclidean cosines: ${spoken(one.concepts, euclidean)}`,
        ...table(one.concepts, euclidean, "euclidean"),
      },
      {
        name: "Causal cosines",
        label: `Heat map of causal cosines: ${spoken(one.concepts, causal)}`,
        ...table(one.concepts, causal, "causal"),
      },
      {
        name: "Logits of one context",
        label: `Bars of the logits of ${one.words.length} words: `
          + `${one.words.map((word, i) => `${word} ${number(logits[i], 2)}`).join(", ")}.`,
        ...bars(one.words, logits, before),
      },
    ],
    summary: `κ = ${data.kappas[kappa]}: mean |cosine| of two concepts ${number(mean(euclidean), 3)} `
      + `Euclidean, ${number(mean(causal), 3)} causal. The largest change of a logit shown is `
      + `${number(moved, 2)}.`,
  };
}

const apart = (rows) => rows.flatMap((row, i) => row.filter((_, j) => j !== i));

function mean(rows) {
  const values = apart(rows).map(Math.abs);
  return values.reduce((a, b) => a + b, 0) / values.length;
}

function spoken(concepts, rows) {
  const pairs = rows.flatMap((row, i) => row.slice(0, i).map((value, j) => [Math.abs(value), i, j]));
  const [, i, j] = pairs.reduce((a, b) => (b[0] > a[0] ? b : a));
  return `two concepts have ${number(mean(rows), 3)} on average, in absolute value; `
    + `the largest is ${number(rows[i][j], 2)}, of ${concepts[j]} and ${concepts[i]}.`;
}

function words(x, y, content, anchor) {
  return svg("text", { x, y, class: "note", style: `text-anchor: ${anchor}` }, content);
}

// .35 for 0.35, and 1 for 1.00: seven concepts must stand side by side on a phone
const short = (value) => number(value, 2).replace("0.", ".").replace("1.00", "1");

function table(concepts, rows, kind) {
  const left = 10 + 6.4 * Math.max(...concepts.map((name) => name.length + 2));
  const size = (320 - left) / rows.length;
  const shapes = [];
  rows.forEach((row, i) => {
    shapes.push(words(left - 6, size * (i + 0.5), `${concepts[i]} ${i + 1}`, "end"));
    shapes.push(words(left + size * (i + 0.5), size * rows.length + 12, i + 1, "middle"));
    row.forEach((value, j) => {
      const [x, y] = [left + size * j, size * i];
      const share = `--share: ${(100 * Math.min(1, Math.abs(value))).toFixed(0)}%`;
      const box = { x: x + 1, y: y + 1, width: size - 2, height: size - 2, rx: 3 };
      shapes.push(svg("rect", { ...box, class: value < 0 ? "cell negative" : "cell positive", style: share }));
      const place = { x: x + size / 2, y: y + size / 2, style: "font-size: 12px" };
      shapes.push(svg("text", { ...place, "data-cell": `${kind} ${i} ${j}` }, short(value)));
    });
  });
  return { viewBox: `0 0 320 ${Math.ceil(size * rows.length) + 22}`, shapes };
}

function bars(names, logits, before) {
  const all = [...logits, ...before, 0];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const x = (value) => 126 + (148 * (value - low)) / (high - low || 1);
  const shapes = [];
  names.forEach((name, i) => {
    const y = 14 + 28 * i;
    const [from, to] = [x(0), x(logits[i])].sort((a, b) => a - b);
    shapes.push(words(120, y, name, "end"));
    shapes.push(svg("rect", { x: from, y: y - 8, width: to - from, height: 16, rx: 3, class: "bar" }));
    shapes.push(svg("circle", { cx: x(before[i]), cy: y, r: 4, class: "miss" }));
    shapes.push(svg("text", { x: 318, y, style: "text-anchor: end; font-size: 13px", "data-cell": `logit ${i}` },
      number(logits[i], 2)));
  });
  shapes.push(svg("line", { x1: x(0), y1: 2, x2: x(0), y2: 28 * names.length, class: "axis" }));
  return { viewBox: `0 0 320 ${28 * names.length + 6}`, shapes };
}
