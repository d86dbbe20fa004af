// data: {start, seq, n_tokens, words [null after a document's end], labels, window [before, after],
//        levels (steps up to the largest), columns {name: [length, bytes]}, packed}
// Columns, each with a number per latent unless said otherwise: token [docs * seq], label, f1 (%),
// fired, largest, histogram [d_sae * bins], n_contexts, most, effect_token and effect [d_sae * 2n];
// decile, place and shade [* window] have an entry per context.

const ROWS = 11; // of the list of latents; 4 where it stands above the latent

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
  const views = html("div", { className: "views" });

  let found = sae.all; // the latents listed, in their order
  let at = data.start; // which of them is shown
  let latent = data.start;

  function look({ target }) {
    const query = search.control.value.trim().toLowerCase();
    sae.wanted = wantedTokens(sae, query);
    found = ranked(sae, matches(sae, query, scope.control.value), order.control.value);
    at = query === "" && target !== order.control ? found.indexOf(latent) : 0;
    show();
  }
  function move(by) {
    at = Math.max(0, Math.min(found.length - 1, at + by));
    show();
  }
  function jump() {
    at = (at + 1 + Math.floor(Math.random() * (found.length - 1))) % found.length;
    show();
  }
  function show() {
    const n = found.length;
    const all = `${count(sae.size)} latents`;
    const where = n < sae.size ? `${count(n)} found in ${all}` : all;
    status.textContent = n === 0 ? `None of ${all}` : `${count(at + 1)} of ${where}`;
    if (n > 0) latent = found[at];
    buttons.forEach((button, k) => { button.disabled = [at === 0, at >= n - 1, n < 2][k]; });
    const room = Math.min(stage.clientWidth < 736 ? 4 : ROWS, n);
    const first = Math.max(0, Math.min(n - room, at - (room >> 1)));
    rows.forEach((row, k) => {
      row.hidden = k >= room;
      if (row.hidden) return;
      row.replaceChildren(...entry(sae, found[first + k], order.control.value));
      row.onclick = () => { move(first + k - at); };
      row.tabIndex = first + k === at ? 0 : -1;
      row.setAttribute("aria-current", first + k === at);
    });
    if (list.contains(document.activeElement)) rows[at - first].focus();
    const facts = describe(sae, latent);
    head.replaceChildren(
      html("p", { className: "title" }, `Latent ${latent}`),
      html("p", { className: sae.label[latent] ? "name" : "none" }, facts.label),
      html("p", {}, facts.sentence),
    );
    const panels = html("div", { className: "panels" }, histogram(facts), ...effects(facts));
    views.replaceChildren(panels, contexts(facts));
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
  stage.replaceChildren(html("div", { className: "columns" },
    html("div", { className: "find" }, search.label, scope.label, order.label, status, list),
    html("div", { className: "shown" }, html("div", { className: "steps" }, ...buttons), head, views),
  ));
}

const SCOPES = { all: "everything", label: "concepts", fires: "tokens it fires on", promotes: "tokens it promotes" };
const ORDERS = {
  match: "best match", number: "number", f1: "F1, best first", largest: "largest activation",
  dense: "density, highest first", rare: "density, lowest first",
};

const count = (n) => n.toLocaleString("en-US");
const percent = (share) => `${number(100 * share, share < 0.001 ? 3 : share < 0.1 ? 2 : 1)}%`;
const decimals = (step) => Math.max(0, Math.min(9, Math.floor(-Math.log10(step)))); // no finer than a step
const digits3 = (value) => Number(value.toPrecision(3)).toString();

// A token with its spaces and line ends in sight, as tokenizers have them.
const seen = (word) => word.replaceAll(" ", "\u2423").replaceAll("\n", "\u21b5").replaceAll("\t", "\u21e5") || "\u2205";

function field(name, control) {
  control.setAttribute("aria-label", name); // else a select's options would be part of its name
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
  const floats = (bits) => new Float32Array(bits.map((entry) => entry << 11).buffer);
  const size = columns.label.length;
  const firstContext = new Uint32Array(size + 1);
  columns.n_contexts.forEach((n, i) => { firstContext[i + 1] = firstContext[i] + n; });
  return {
    ...data, ...columns, size, firstContext,
    all: range(0, size),
    wanted: [], // whether the search means this word
    largest: floats(columns.largest),
    most: floats(columns.most),
    half: columns.effect_token.length / size / 2,
    bins: columns.histogram.length / size,
    width: data.window[0] + 1 + data.window[1],
  };
}

const sum = (values) => values.reduce((a, b) => a + b, 0);
const between = (items, gap) => items.flatMap((item, k) => (k ? [gap, item] : [item]));
const range = (from, to) => Array.from({ length: to - from }, (_, k) => from + k);
const contextsOf = (sae, i) => range(sae.firstContext[i], sae.firstContext[i + 1]);
const firesOn = (sae, i) => contextsOf(sae, i).map((c) => sae.token[sae.place[c]]);
const peak = (sae, c) => sae.shade[c * sae.width + sae.window[0]];
const promotes = (sae, i) => Array.from(sae.effect_token.subarray(2 * sae.half * i, 2 * sae.half * i + sae.half));

// Which words the query means: the one that it spells, else all that contain it.
function wantedTokens(sae, query) {
  const names = sae.words.map((word) => (word ?? "").toLowerCase().trim());
  const exact = names.includes(query);
  return names.map((name) => query !== "" && (exact ? name === query : name.includes(query)));
}

// How well each latent answers the query, 0 if not at all. A number finds that latent; other text
// the latents that stand for it, those that fire on such tokens, by the share of their activation
// in the contexts, and those that promote them.
function matches(sae, query, scope) {
  if (query === "") return sae.all.map(() => 1);
  const { wanted } = sae;
  const label = sae.labels.map((name) => name.toLowerCase().includes(query));
  const scores = {
    label: (i) => (label[sae.label[i]] ? 1 + sae.f1[i] / 100 : 0),
    fires: (i) => {
      const peaks = contextsOf(sae, i).map((c) => [sae.token[sae.place[c]], peak(sae, c)]);
      return sum(peaks.map(([token, z]) => (wanted[token] ? z : 0))) / Math.max(1, sum(peaks.map(([, z]) => z)));
    },
    promotes: (i) => Math.max(0, ...promotes(sae, i).map((token, k) => (wanted[token] ? 1 / (1 + k) : 0))),
  };
  const asked = query.replace("#", "");
  scores.all = (i) => (
    (`${i}` === asked ? 9 : 0) + scores.label(i) + scores.fires(i) + scores.promotes(i) / 2);
  return sae.all.map(scores[scope]);
}

function ranked(sae, score, order) {
  const f1 = (i) => (sae.label[i] ? sae.f1[i] : -1);
  const by = {
    match: (i, j) => score[j] - score[i],
    number: () => 0,
    f1: (i, j) => f1(j) - f1(i),
    dense: (i, j) => sae.fired[j] - sae.fired[i],
    rare: (i, j) => (sae.fired[i] || sae.n_tokens + 1) - (sae.fired[j] || sae.n_tokens + 1), // 0 is last
    largest: (i, j) => sae.largest[j] - sae.largest[i],
  };
  return sae.all.filter((i) => score[i] > 0).sort(by[order]);
}

function entry(sae, i, order) {
  const wanted = (token) => (sae.wanted[token] ? 1 : 0);
  const fires = [...new Set(firesOn(sae, i))].sort((a, b) => wanted(b) - wanted(a)).slice(0, 4);
  const pushes = fires.some(wanted) ? [] : promotes(sae, i).filter(wanted);
  const tokens = (pushes.length ? pushes : fires).map((token) => seen(sae.words[token])).join("  ");
  const value = {
    dense: percent(sae.fired[i] / sae.n_tokens), rare: percent(sae.fired[i] / sae.n_tokens),
    largest: digits3(sae.largest[i]),
  }[order] ?? (sae.label[i] ? `F1 ${(sae.f1[i] / 100).toFixed(2)}` : "");
  return [
    html("span", { className: "which" }, `${i}`),
    html("span", { className: sae.label[i] ? "what" : "what none" }, sae.labels[sae.label[i]] || "no concept"),
    html("span", { className: "value" }, value),
    html("span", { className: "on" }, pushes.length ? `promotes ${tokens}` : tokens || "never fires"),
  ];
}

// All that is shown of one latent, as numbers and words.
function describe(sae, i) {
  const [before, after] = sae.window;
  const { levels } = sae;
  const around = contextsOf(sae, i).map((c) => {
    const place = sae.place[c];
    const first = place - (place % sae.seq); // of the document
    const all = range(place - before, place + after + 1).map((at, k) => {
      const word = at >= first && at < first + sae.seq ? sae.words[sae.token[at]] : null;
      return { word, share: sae.shade[c * sae.width + k] / levels, here: at === place };
    });
    const cut = [place - before > first, all[before + after].word !== null];
    const tokens = all.filter(({ word }) => word !== null);
    return { decile: sae.decile[c], share: all[before].share, tokens, cut };
  });
  const effect = range(2 * sae.half * i, 2 * sae.half * (i + 1)).map((k) => ({
    word: sae.words[sae.effect_token[k]], share: sae.effect[k] / levels - 1,
  }));
  const often = `${count(sae.fired[i])} of ${count(sae.n_tokens)} tokens (${percent(sae.fired[i] / sae.n_tokens)})`;
  return {
    around, effect, levels, half: sae.half, largest: sae.largest[i], most: sae.most[i], fired: sae.fired[i],
    bins: sae.histogram.subarray(sae.bins * i, sae.bins * (i + 1)),
    label: sae.label[i] ? `${sae.labels[sae.label[i]]}, F1 ${(sae.f1[i] / 100).toFixed(2)}` : "no concept",
    sentence: sae.fired[i]
      ? `Fires on ${often}, at most with ${digits3(sae.largest[i])}.` : "Never fires on these documents.",
  };
}

function panel(name, ...children) {
  return html("div", { className: "panel" }, html("p", { className: "name" }, name), ...children);
}

function histogram({ bins, largest, fired }) {
  const label = `${count(fired)} activations in ${bins.length} bins from 0 to ${digits3(largest)}: ${bins.join(", ")}.`;
  const drawing = svg("svg", { role: "img", viewBox: "0 0 180 128", "aria-label": label });
  const top = Math.log1p(Math.max(1, ...bins));
  const width = 180 / bins.length;
  bins.forEach((n, k) => {
    const height = (96 * Math.log1p(n)) / top;
    const box = { x: k * width + 1, y: 102 - height, width: width - 2, height, rx: 2, class: "bar" };
    drawing.append(svg("rect", { ...box, "data-count": n }, svg("title", {}, count(n))));
  });
  const note = (x, anchor, text) => svg("text", { x, y: 117, class: "note", style: `text-anchor: ${anchor}` }, text);
  drawing.append(svg("line", { x1: 0, x2: 180, y1: 102.5, y2: 102.5, class: "ring" }));
  drawing.append(note(0, "start", "0"), note(90, "middle", "log scale"), note(180, "end", digits3(largest)));
  return panel("Activations", drawing);
}

function effects({ effect, half, most, levels }) {
  const line = (kind) => ({ word, share }) => {
    const bar = html("span", { className: `effect ${kind}` });
    bar.style.setProperty("--share", `${(100 * Math.abs(share)).toFixed(0)}%`);
    const value = `${share > 0 ? "+" : ""}${number(share * most, decimals(most / levels))}`;
    const name = html("span", { className: "word" }, seen(word));
    return html("li", {}, name, html("span", { className: "value" }, value), bar);
  };
  return [
    panel("Promotes", html("ol", { className: "effects" }, ...effect.slice(0, half).map(line("up")))),
    panel("Demotes", html("ol", { className: "effects" }, ...effect.slice(half).reverse().map(line("down")))),
  ];
}

function contexts({ around, levels, largest }) {
  const digits = decimals(largest / levels);
  const names = ["top", "2nd", "3rd", ...range(4, 10).map((k) => `${k}th`), "last"];
  const lines = around.map(({ decile, share, tokens, cut }, k) => {
    const first = k === 0 || around[k - 1].decile !== decile;
    const words = tokens.map(({ word, share: own, here }) => {
      const token = html(here ? "mark" : "span", { title: number(own * largest, digits) }, seen(word));
      token.style.setProperty("--share", `${(100 * own).toFixed(0)}%`);
      if (own > 0) token.className = "lit";
      return token;
    });
    const ends = [cut[0] ? "…\u00a0" : "", cut[1] ? "\u00a0…" : ""];
    const text = html("span", { className: "tokens" }, ends[0], ...between(words, " "), ends[1]);
    const tenth = html("span", { className: first ? "decile" : "decile again" }, names[decile]);
    return html("li", {}, tenth, html("span", { className: "value" }, number(share * largest, digits)), text);
  });
  return panel("Where it fires, by tenths of its firings", html("ol", { className: "contexts" }, ...lines));
}
