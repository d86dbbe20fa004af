// data: {maps [n_vectors][effect, kl, forbidden][n_layers][n_strengths],
//        texts [n_vectors][n_layers][n_strengths], vectors, views, layers, strengths,
//        prompt, before, shows, opposes, budget}; with one vector there is no slider for it

const EFFECT = 0;
const KL = 1;
const FORBIDDEN = 2;
const LINE = 44; // letters that fit in a line of the text

function draw(data, positions) {
  const [vector, view, layer, strength] = data.vectors.length > 1 ? positions : [0, ...positions];
  const maps = data.maps[vector];
  const at = (kind) => maps[kind][layer][strength];
  const where = `${data.vectors[vector]} at ${data.layers[layer]}, strength ${data.strengths[strength]}`;
  const over = at(KL) > data.budget ? "above" : "within";
  const after = data.texts[vector][layer][strength];
  return {
    panels: [
      {
        name: `${data.vectors[vector]}: ${data.views[view]}`,
        label: `Map of ${data.layers.length} layers by ${data.strengths.length} strengths: ${data.views[view]}, `
          + `${data.vectors[vector]}.`,
        ...map(data, vector, view, layer, strength),
      },
      {
        name: "Before and after",
        label: `After “${data.prompt}” the model writes “${data.before}”; steered, “${after}”.`,
        ...texts(data, after),
      },
    ],
    summary: `${where}: log odds ${signed(at(EFFECT))} nats, KL ${number(at(KL), 3)} nats a word `
      + `(${over} ${data.budget}), ${number(100 * at(FORBIDDEN), 0)}% of the words written are forbidden.`,
  };
}

const signed = (value) => `${value > 0 ? "+" : ""}${number(value, 2)}`;

function shown(value, view) {
  if (view === FORBIDDEN) return number(100 * value, 0);
  const digits = Math.abs(value) >= 9.95 ? 0 : view === KL && value < 0.995 ? 2 : 1;
  return number(value, digits);
}

function map(data, vector, view, layer, strength) {
  const [left, top, high] = [62, 6, 30];
  const wide = (314 - left) / data.strengths.length;
  const values = data.maps[vector];
  const most = Math.max(1e-9, ...data.maps.flatMap((kinds) => kinds[view].flat().map(Math.abs)));
  const full = [most, Math.min(most, 4 * data.budget), 1][view]; // what has the strongest colour
  const last = data.layers.length - 1;
  const shapes = [];
  const place = (row, column) => ({
    x: left + wide * column, y: top + high * (last - row), width: wide - 2, height: high - 2,
  });
  data.layers.forEach((name, row) => {
    const y = top + high * (last - row) + high / 2;
    shapes.push(svg("text", { x: left - 6, y, class: "note", style: "text-anchor: end" }, name));
    data.strengths.forEach((_, column) => {
      const value = values[view][row][column];
      const share = Math.min(100, Math.round((100 * Math.abs(value)) / full));
      const box = place(row, column);
      const kind = value < 0 ? "negative" : "positive";
      shapes.push(svg("rect", { ...box, class: kind, style: `--share: ${share}%` }));
      if (values[KL][row][column] > data.budget) {
        const inside = { x: box.x + 1.5, y: box.y + 1.5, width: box.width - 3, height: box.height - 3 };
        shapes.push(svg("rect", { ...inside, class: "truth", fill: "none", "data-over": `${row},${column}` }));
      }
      const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2, style: `font-size: ${wide < 32 ? 10 : 11}px` };
      shapes.push(svg("text", { ...middle, "data-cell": `${row},${column}` }, shown(value, view)));
    });
  });
  shapes.push(svg("rect", { ...place(layer, strength), class: "framed" }));
  const under = top + high * data.layers.length + 10;
  data.strengths.forEach((name, column) => {
    shapes.push(svg("text", { x: left + wide * (column + 0.5) - 1, y: under, class: "note" }, name));
  });
  shapes.push(svg("text", { x: (left + 314) / 2, y: under + 18, class: "note" }, "strength"));
  return { viewBox: `0 0 320 ${under + 28}`, shapes };
}

// Words in lines that fit; the room is that of the longest text, so that nothing jumps.
function lines(text) {
  const all = [[]];
  let used = 0;
  for (const word of text.split(" ")) {
    if (used > 0 && used + 1 + word.length > LINE) {
      all.push([]);
      used = 0;
    }
    all.at(-1).push(word);
    used += (used > 0 ? 1 : 0) + word.length;
  }
  return all;
}

function texts(data, after) {
  const told = new Set(data.before.split(" ").map((word, k) => `${k} ${word}`));
  const room = Math.max(...data.texts.flat(2).map((text) => lines(text).length));
  const shapes = [];
  let y = 10;
  const block = (heading, text, changes, rows) => {
    shapes.push(svg("text", { x: 4, y, class: "note", style: "text-anchor: start" }, heading));
    let k = 0;
    lines(text).forEach((words, row) => {
      const line = svg("text", {
        x: 4, y: y + 17 * (row + 1), style: "text-anchor: start; font-size: 12px",
      });
      words.forEach((word, column) => {
        const style = [
          data.shows.includes(word) ? "font-weight: 650; text-decoration: underline" : "",
          data.opposes.includes(word) ? "font-style: italic" : "",
          changes && !told.has(`${k} ${word}`) ? "fill: var(--accent)" : "",
        ].filter(Boolean).join("; ");
        const kind = data.shows.includes(word) ? "shows" : data.opposes.includes(word) ? "opposes" : "";
        line.append(column > 0 ? " " : "", svg("tspan", { style, "data-word": kind }, word));
        k += 1;
      });
      shapes.push(line);
    });
    y += 17 * (rows + 1) + 10;
  };
  block("The story so far", data.prompt, false, lines(data.prompt).length);
  block("goes on without the vector", data.before, false, lines(data.before).length);
  block("and with it", after, true, room);
  return { viewBox: `0 0 320 ${y}`, shapes };
}
