// data: {size, names [cells], boards [n_positions][cells] (0 mine, 1 theirs, 2 empty),
//        before [n_positions][cells], legal and legal_after: cells as "0110..", [n_positions] and
//        [n_positions][cells][2]; laws: bytes in base64, [n_positions, n_depths, n_vectors,
//        n_strengths, cells, 2, cells]; scale (of a byte), sliders, start [cell, change]}
// Change 1 of a cell is what it holds plus 1, modulo 3; change 2 plus 2; 0 leaves it.

const HOLDS = ["mine", "theirs", "empty"];
const SIDE = 60;

function fill(stage, data) {
  const { size, boards, names } = data;
  const cells = size * size;
  const bytes = Uint8Array.from(atob(data.laws), (c) => c.charCodeAt(0));
  const counts = data.sliders.map(({ shown }) => shown.length);
  let [cell, change] = data.start;
  const controls = data.sliders.map((settings) => slider(settings, update));
  const [left, right] = [0, 1].map(() => svg("svg", {
    class: "board", viewBox: `-2 -2 ${SIDE * size + 4} ${SIDE * size + 4}`,
  }));
  left.setAttribute("role", "group");
  left.setAttribute("aria-label", "The board: press a cell to change what it holds");
  right.setAttribute("role", "img");
  const heading = html("p", {});
  const summary = html("p", { className: "summary" });
  summary.setAttribute("aria-live", "polite");
  const squares = names.map((_, c) => square(c));
  left.append(...squares);

  function square(c) {
    const group = svg("g", { role: "button", tabindex: -1, "data-cell": c });
    group.addEventListener("click", () => press(c));
    group.addEventListener("keydown", (event) => {
      const arrow = ARROWS[event.key];
      if (!arrow && event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      if (!arrow) return press(c);
      const [x, y] = [(c % size) + arrow[0], Math.floor(c / size) + arrow[1]];
      focus(((y + size) % size) * size + ((x + size) % size));
    });
    return group;
  }
  function focus(c) {
    squares.forEach((group, k) => group.setAttribute("tabindex", k === c ? 0 : -1));
    squares[c].focus();
  }
  function press(c) {
    [cell, change] = c === cell ? [c, (change + 1) % 3] : [c, 1];
    update();
    focus(c);
  }

  function update() {
    const at = controls.map(({ input }) => Number(input.value));
    const [position] = at;
    const board = boards[position];
    const after = [...board];
    after[cell] = (board[cell] + change) % 3;
    const law = change ? lawAt(at, cell, change) : data.before[position];
    const legal = data.legal[position];
    const legalAfter = change ? data.legal_after[position][cell][change - 1] : legal;
    squares.forEach((group, c) => {
      group.replaceChildren(...drawn(c, board[c], data.before[position][c], legal[c]));
      group.setAttribute("aria-label", `${names[c]}, ${HOLDS[board[c]]}, `
        + `${percent(data.before[position][c])}${legal[c] === "1" ? ", legal" : ""}`
        + (c === cell && change ? `, changed to ${HOLDS[after[c]]}` : ""));
      group.setAttribute("tabindex", c === cell ? 0 : -1);
    });
    if (change) squares[cell].append(svg("rect", { ...box(cell, 3), class: "changed" }));
    right.replaceChildren(...names.flatMap((_, c) => drawn(c, after[c], law[c], legalAfter[c])));
    const wrong = errors(law, legalAfter);
    const first = errors(data.before[position], legalAfter);
    const n = [...legalAfter].filter((l) => l === "1").length;
    heading.textContent = change ? `Inside: ${names[cell]} is ${HOLDS[after[cell]]}` : "Nothing is edited";
    right.setAttribute("aria-label", `The model's next move ${change ? "after" : "without"} the edit: `
      + names.map((name, c) => [law[c], `${name} ${percent(law[c])}`]).filter(([p]) => p > 0.02)
        .map(([, said]) => said).join(", "));
    summary.textContent = change
      ? `${names[cell]} was ${HOLDS[board[cell]]} and is made ${HOLDS[after[cell]]}. On that board `
        + `${n} moves are legal. Wrong moves: ${first} without the edit, ${wrong} with it.`
      : `${n} moves are legal, framed; wrong moves: ${wrong}. Press a cell to change what it holds.`;
  }

  function lawAt([position, depth, vector, strength], c, kind) {
    let index = position;
    [[depth, counts[1]], [vector, counts[2]], [strength, counts[3]], [c, cells], [kind - 1, 2]]
      .forEach(([place, count]) => { index = index * count + place; });
    return Array.from(bytes.subarray(index * cells, (index + 1) * cells), (b) => b / data.scale);
  }

  // Of the N likeliest, N moves being legal: those that are not, and as many that are missing.
  function errors(law, legal) {
    const order = law.map((p, c) => [p, c]).sort(([p], [q]) => q - p).map(([, c]) => c);
    const n = [...legal].filter((l) => l === "1").length;
    return 2 * order.slice(0, n).filter((c) => legal[c] !== "1").length;
  }

  function box(c, inset) {
    const side = SIDE - 2 * inset;
    return { x: SIDE * (c % size) + inset, y: SIDE * Math.floor(c / size) + inset, width: side, height: side };
  }

  function drawn(c, holds, p, legal) {
    const [x, y] = [SIDE * ((c % size) + 0.5), SIDE * (Math.floor(c / size) + 0.5)];
    const share = `--share: ${Math.min(100, 400 * p).toFixed(0)}%`;
    const shapes = [svg("rect", { ...box(c, 1), class: "square positive", style: share })];
    if (legal === "1") shapes.push(svg("rect", { ...box(c, 6), class: "legal" }));
    if (holds < 2) shapes.push(svg("circle", { cx: x, cy: y, r: 18, class: HOLDS[holds] }));
    else if (p > 0.005) shapes.push(svg("text", { x, y }, number(100 * p, 0)));
    return shapes;
  }

  update();
  const rows = html("div", { className: "sliders" }, ...controls.map(({ row }) => row));
  const boardsShown = html("div", { className: "panels" },
    html("div", { className: "panel" }, html("p", {}, "The game: press a cell"), left),
    html("div", { className: "panel" }, heading, right));
  stage.replaceChildren(rows, boardsShown, summary);
}

const percent = (p) => `${number(100 * p, 0)} %`;
