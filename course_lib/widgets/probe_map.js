// data: {maps [n_concepts][n_kinds][n_layers][n_tokens] with null for no number,
//        views [[kind, kind to subtract or -1]], concepts, shown, layers, tokens, breakAt}

function draw(data, [concept, view]) {
  const [kind, other] = data.views[view];
  const values = data.maps[concept][kind].map((row, layer) => row.map((value, token) => {
    if (other < 0 || value === null) return value;
    const less = data.maps[concept][other][layer][token];
    return less === null ? null : value - less;
  }));
  const parts = [
    { name: "The title", from: 0, to: data.breakAt },
    { name: "The turn", from: data.breakAt, to: data.tokens.length },
  ];
  const said = `${data.concepts[concept]}, ${data.shown[view]}`;
  const cells = values.flatMap((row, layer) => row.map((value, token) => ({ value, layer, token })))
    .filter(({ value }) => value !== null);
  const most = cells.reduce((a, b) => (b.value > a.value ? b : a));
  const least = cells.reduce((a, b) => (b.value < a.value ? b : a));
  const where = ({ layer, token }) => `${data.tokens[token]}, ${data.layers[layer]}`;
  return {
    panels: parts.map(({ name, from, to }) => ({
      name,
      label: `Map of ${to - from} tokens by ${data.layers.length} layers: ${said}.`,
      ...map(data, values, from, to, other >= 0),
    })),
    summary: `${said}: highest ${points(most.value)} (${where(most)}), `
      + `lowest ${points(least.value)} (${where(least)}).`,
  };
}

const points = (value) => number(100 * value, 0);

// 50 (a coin) is the middle of an accuracy, 0 that of a difference: no colour.
function map(data, values, from, to, difference) {
  const [left, top, high] = [78, 4, 26];
  const wide = (316 - left) / (data.tokens.length - data.breakAt);
  const shapes = [];
  const last = data.layers.length - 1;
  data.layers.forEach((name, layer) => {
    const y = top + high * (last - layer);
    const label = { x: left - 6, y: y + high / 2, class: "note", style: "text-anchor: end" };
    shapes.push(svg("text", label, name));
    for (let token = from; token < to; token += 1) {
      const value = values[layer][token];
      const x = left + wide * (token - from);
      const cell = svg("rect", { x, y, width: wide - 1, height: high - 1, class: "cell" });
      shapes.push(cell);
      if (value === null) continue;
      const above = difference ? value : value - 0.5;
      cell.setAttribute("class", above < 0 ? "negative" : "positive");
      cell.setAttribute("style", `--share: ${Math.min(100, Math.round(200 * Math.abs(above)))}%`);
      const at = { x: x + wide / 2, y: y + high / 2, style: "font-size: 11px" };
      shapes.push(svg("text", { ...at, "data-cell": `${layer},${token}` }, points(value)));
    }
  });
  const under = top + high * data.layers.length + 8;
  for (let token = from; token < to; token += 1) {
    const x = left + wide * (token - from + 0.5);
    const turned = `text-anchor: end`;
    const place = { x, y: under, class: "note", style: turned, transform: `rotate(-60 ${x} ${under})` };
    shapes.push(svg("text", place, data.tokens[token]));
  }
  return { viewBox: `0 0 320 ${under + 58}`, shapes };
}
