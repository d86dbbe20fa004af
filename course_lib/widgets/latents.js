// data: {start, seq, n_tokens, words [null after a document's end], labels, window [before, after],
//        levels [of an activation, of an effect], columns {name: [length, bytes]}, packed}
// Columns, each with a number per latent unless said otherwise: token [docs * seq], label, f1 (%),
// fired, largest, histogram [d_sae * bins], n_contexts, most, effect_token and effect [d_sae * 2n];
// decile, place and shade [* window] have an entry per context.

const ROWS = 7; // of the list of latents

async function fill(stage, data) {
  const sae = read(data, await unpack(data));
  const search = field("Search", html("input", {
    type: "search", placeholder: "a concept, a token, a number", autocomplete: "off", spellcheck: false,
  }));
  const scope = field("In", options(SCOPES));
  const order = field("Sorted by", options(ORDERS));
  const status = html("p", { className: "status", role: "status" });
  const rows = Array.from({ length: Math.min(ROWS, sae.size) }, () => html("button", { type: "button" }));
  const list = html("div", { className: "list", role: "group" }, ...rows);
  list.setAttribute("aria-label", "Latents found");
  const steps = [["Previous", () => move(-1)], ["Next", () => move(1)], ["Random", jump]];
  const buttons = steps.map(([name, act]) => {
    const button = html("button", { type: "button", onclick: act }, name);
    button.setAttribute("aria-label", `${name} latent`);
    return button;
  });
  const head = html("div", { className: "head" });
  head.setAttribute("aria-live", "polite");
  const body = html("div", { className: "body" });

  let found = sae.all; // the latents listed, in their order
  let at = data.start; // which of them is shown
  let latent = data.start;

  function look() {
    const query = search.control.value.trim();
    found = ranked(sae, matches(sae, query, scope.control.value), order.control.value);
    const kept = query === "" && this === search.control ? found.indexOf(latent) : 0;
    at = Math.max(0, kept);
    show();
  }
  function move(by) {
    at = Math.max(0, Math.min(found.length - 1, at + by));
    show();
  }
  function jump() {
    const away = 1 + Math.floor(Math.random() * (found.length - 1));
    at = (at + away) % found.length;
    show();
  }
  function show() {
    const n = found.length;
    const all = `of ${count(sae.size)} latents`;
    status.textContent = n === 0 ? `None ${all}` : `${count(at + 1)} of ${count(n)}${n < sae.size ? " found" : ""}, ${all}`;
    if (n > 0) latent = found[at];
    buttons.forEach((button, k) => { button.disabled = [at === 0, at >= n - 1, n < 2][k]; });
    const first = Math.max(0, Math.min(n - rows.length, at - (rows.length >> 1)));
    rows.forEach((row, k) => {
      row.hidden = first + k >= n;
      if (row.hidden) return;
      row.replaceChildren(...entry(sae, found[first + k], order.control.value));
      row.onclick = () => { move(first + k - at); };
      row.tabIndex = first + k === at ? 0 : -1;
      row.setAttribute("aria-current", first + k === at);
    });
    if (list.contains(document.activeElement)) rows[at - first].focus();
    const facts = describe(sae, latent);
    head.replaceChildren(html("p", { className: "title" }, `Latent ${latent}`), html("p", {}, facts.sentence));
    body.replaceChildren(
      html("div", { className: "panels" }, histogram(facts), ...effects(facts)),
      contexts(facts),
    );
    stage.dataset.latent = latent;
  }

  search.control.addEventListener("input", look);
  for (const { control } of [scope, order]) control.addEventListener("change", look);
  for (const part of [search.control, list]) part.addEventListener("keydown", (event) => {
    const page = { ArrowUp: -1, ArrowDown: 1, PageUp: -ROWS, PageDown: ROWS }[event.key];
    const end = part === list ? { Home: -sae.size, End: sae.size }[event.key] : undefined;
    if (page === undefined && end === undefined) return;
    event.preventDefault();
    move(page ?? end);
  });
  // JupyterLab and the book's own page keys would take letters and arrow keys away.
  stage.addEventListener("keydown", (event) => event.stopPropagation());

  at = found.indexOf(latent);
  show();
  stage.classList.add("latents");
  stage.replaceChildren(
    html("div", { className: "find" }, search.label, scope.label, order.label, status, list),
    html("div", { className: "shown" }, html("div", { className: "steps" }, ...buttons), head, body),
  );
}

const SCOPES = { all: "everything", label: "concepts", fires: "tokens it fires on", promotes: "tokens it promotes" };
const ORDERS = {
  number: "number", f1: "F1, best first", dense: "density, highest first", rare: "density, lowest first",
  largest: "largest activation",
};

const count = (n) => n.toLocaleString("en-US");
const percent = (share) => `${number(100 * share, share < 0.001 ? 3 : share < 0.1 ? 2 : 1)} %`;
const digits3 = (value) => Number(value.toPrecision(3)).toString();

// A token with its spaces and line ends in sight, as tokenizers have them.
const seen = (word) => word.replaceAll(" ", "\u2423").replaceAll("\n", "\u21b5").replaceAll("\t", "\u21e5") || "\u2205";

function field(name, control) {
  return { control, label: html("label", {}, html("span", { className: "name" }, name), control) };
}

function options(names) {
  return html("select", { autocomplete: "off" }, ...Object.entries(names).map(([value, name]) => (
    html("option", { value }, name))));
}

async function unpack({ columns, packed }) {
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const all = new Uint8Array(await new Response(plain).arrayBuffer());
  let start = 0;
  return Object.fromEntries(Object.entries(columns).map(([name, [length, nBytes]]) => {
    const numbers = new Uint32Array(length);
    for (let place = 0; place < nBytes; place += 1, start += length) {
      for (let k = 0; k < length; k += 1) numbers[k] |= all[start + k] << (8 * place);
    }
    return [name, numbers];
  }));
}

function read(data, columns) {
  const floats = (bits) => new Float32Array(bits.map((entry) => entry << 8).buffer);
  const size = columns.label.length;
  const firstContext = new Uint32Array(size + 1);
  columns.n_contexts.forEach((n, i) => { firstContext[i + 1] = firstContext[i] + n; });
  return {
    ...data, ...columns, size, firstContext,
    all: Array.from({ length: size }, (_, i) => i),
    largest: floats(columns.largest),
    most: floats(columns.most),
    half: columns.effect_token.length / size / 2,
    bins: columns.histogram.length / size,
  };
}

const range = (from, to) => Array.from({ length: to - from }, (_, k) => from + k);
const contextsOf = (sae, i) => range(sae.firstContext[i], sae.firstContext[i + 1]);
const firesOn = (sae, i) => contextsOf(sae, i).map((c) => sae.token[sae.place[c]]);
const promotes = (sae, i) => Array.from(sae.effect_token.subarray(2 * sae.half * i, 2 * sae.half * i + sae.half));

// A number finds that latent, a token what fires on it or promotes it, other text a concept.
function matches(sae, query, scope) {
  if (query === "") return sae.all;
  const text = query.toLowerCase();
  const words = sae.words.map((word) => (word ?? "").toLowerCase().trim());
  const wanted = words.includes(text) ? (word) => word === text : (word) => word.includes(text);
  const word = words.map(wanted);
  const label = sae.labels.map((name) => name.toLowerCase().includes(text));
  const tests = {
    label: (i) => label[sae.label[i]],
    fires: (i) => firesOn(sae, i).some((token) => word[token]),
    promotes: (i) => promotes(sae, i).some((token) => word[token]),
  };
  tests.all = (i) => `${i}` === text.replace("#", "") || tests.label(i) || tests.fires(i) || tests.promotes(i);
  return sae.all.filter(tests[scope]);
}

function ranked(sae, found, order) {
  const f1 = (i) => (sae.label[i] ? sae.f1[i] : -1);
  const by = {
    number: () => 0,
    f1: (i, j) => f1(j) - f1(i),
    dense: (i, j) => sae.fired[j] - sae.fired[i],
    rare: (i, j) => (sae.fired[i] || Infinity) - (sae.fired[j] || Infinity) || 0, // never fired: last
    largest: (i, j) => sae.largest[j] - sae.largest[i],
  };
  return [...found].sort(by[order]);
}

function entry(sae, i, order) {
  const tokens = [...new Set(firesOn(sae, i))].slice(0, 4).map((token) => seen(sae.words[token]));
  const value = {
    dense: percent(sae.fired[i] / sae.n_tokens), rare: percent(sae.fired[i] / sae.n_tokens),
    largest: digits3(sae.largest[i]),
  }[order] ?? (sae.label[i] ? `F1 ${(sae.f1[i] / 100).toFixed(2)}` : "");
  return [
    html("span", { className: "which" }, `${i}`),
    html("span", { className: "what" }, sae.labels[sae.label[i]] || "no concept"),
    html("span", { className: "value" }, value),
    html("span", { className: "on" }, tokens.join("  ") || "never fires"),
  ];
}

// All that is shown of one latent, as numbers and words.
function describe(sae, i) {
  const [before, after] = sae.window;
  const [levels, effectLevels] = sae.levels;
  const decimals = Math.max(0, Math.floor(-Math.log10(sae.largest[i] / levels)));
  const around = contextsOf(sae, i).map((c) => {
    const place = sae.place[c];
    const document = Math.floor(place / sae.seq);
    const tokens = range(-before, after + 1).map((offset) => {
      const inside = Math.floor((place + offset) / sae.seq) === document;
      const share = sae.shade[c * (before + 1 + after) + before + offset] / levels;
      return { word: inside ? sae.words[sae.token[place + offset]] : null, share, here: offset === 0 };
    });
    const cut = [place - before > document * sae.seq, tokens[before + after].word !== null];
    return { decile: sae.decile[c], share: tokens[before].share, tokens: tokens.filter(({ word }) => word !== null), cut };
  });
  const effect = range(2 * sae.half * i, 2 * sae.half * (i + 1)).map((k) => ({
    word: sae.words[sae.effect_token[k]], share: sae.effect[k] / effectLevels - 1,
  }));
  const often = `fires on ${count(sae.fired[i])} of ${count(sae.n_tokens)} tokens (${percent(sae.fired[i] / sae.n_tokens)})`;
  const stands = sae.label[i]
    ? ` As a test for ${sae.labels[sae.label[i]]} its F1 is ${(sae.f1[i] / 100).toFixed(2)}.` : "";
  return {
    around, effect, decimals, half: sae.half, largest: sae.largest[i], most: sae.most[i],
    bins: sae.histogram.subarray(sae.bins * i, sae.bins * (i + 1)), fired: sae.fired[i],
    sentence: sae.fired[i] ? `It ${often}, at most with ${digits3(sae.largest[i])}.${stands}` : "It never fires on these documents.",
  };
}

function panel(name, ...children) {
  return html("div", { className: "panel" }, html("p", { className: "name" }, name), ...children);
}

function histogram({ bins, largest, fired }) {
  const label = `${count(fired)} activations in ${bins.length} bins from 0 to ${digits3(largest)}: ${bins.join(", ")}.`;
  const drawing = svg("svg", { role: "img", viewBox: "0 0 240 128", "aria-label": label });
  const top = Math.log1p(Math.max(1, ...bins));
  const width = 240 / bins.length;
  bins.forEach((n, k) => {
    const height = (96 * Math.log1p(n)) / top;
    const box = { x: k * width + 1, y: 102 - height, width: width - 2, height, rx: 2, class: "bar" };
    drawing.append(svg("rect", { ...box, "data-count": n }, svg("title", {}, count(n))));
  });
  const note = (x, anchor, text) => svg("text", { x, y: 117, class: "note", style: `text-anchor: ${anchor}` }, text);
  drawing.append(svg("line", { x1: 0, x2: 240, y1: 102.5, y2: 102.5, class: "ring" }));
  drawing.append(note(0, "start", "0"), note(120, "middle", "heights: log of the number"), note(240, "end", digits3(largest)));
  return panel("How strongly it fires", drawing);
}

function effects({ effect, half, most }) {
  const line = (kind) => ({ word, share }) => {
    const bar = html("span", { className: `effect ${kind}` });
    bar.style.setProperty("--share", `${(100 * Math.abs(share)).toFixed(0)}%`);
    const value = `${share > 0 ? "+" : ""}${number(share * most, most < 0.1 ? 3 : 2)}`;
    return html("li", {}, html("span", { className: "word" }, seen(word)), bar, html("span", { className: "value" }, value));
  };
  return [
    panel("Promotes", html("ol", { className: "effects" }, ...effect.slice(0, half).map(line("up")))),
    panel("Demotes", html("ol", { className: "effects" }, ...effect.slice(half).reverse().map(line("down")))),
  ];
}

function contexts({ around, decimals, largest }) {
  const names = ["top tenth", "2nd", "3rd", ...range(4, 10).map((k) => `${k}th`), "last tenth"];
  const lines = around.map(({ decile, share, tokens, cut }, k) => {
    const first = k === 0 || around[k - 1].decile !== decile;
    const words = tokens.map(({ word, share: own, here }) => {
      const token = html(here ? "mark" : "span", { title: number(own * largest, decimals) }, seen(word));
      token.style.setProperty("--share", `${(100 * own).toFixed(0)}%`);
      if (own > 0) token.className = "lit";
      return token;
    });
    const text = html("span", { className: "tokens" }, cut[0] ? "… " : "", ...words.flatMap((word) => [word, " "]), cut[1] ? "…" : "");
    const tenth = html("span", { className: first ? "decile" : "decile again" }, names[decile]);
    return html("li", {}, tenth, html("span", { className: "value" }, number(share * largest, decimals)), text);
  });
  return panel("Where it fires, by tenths of its firings", html("ol", { className: "contexts" }, ...lines));
}
