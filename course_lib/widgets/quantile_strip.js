// data: {latents: [{name, concept, tenths [10], least [10], precision [10], recall [10],
//        examples [10][1 or 2] of [before, word, after, has the concept]}]}

const ROW = 15; // of an example
const TENTH = 2 * ROW + 5;
const LETTER = 7; // of 12 px: letters are rarely wider, on average
const WIDEST = 42; // letters that fit

function draw(data, [which, top]) {
  const latent = data.latents[which];
  const share = (value) => `${number(100 * value, 0)} %`;
  const counts = top === 9 ? "All its firings count" : `Firings from ${share(latent.least[top])} of its largest on count`;
  return {
    panels: [
      {
        name: "Drawn at random from each tenth",
        label: `Examples of each tenth of the firings of ${latent.name}, strongest first.`,
        ...examples(latent, top),
      },
      {
        name: `Share with “${latent.concept}” in each tenth`,
        label: `Share with the concept in each tenth: ${latent.tenths.map(share).join(", ")}.`,
        ...bars(latent, top, share),
      },
    ],
    summary: `${counts}: ${share(latent.precision[top])} of them are “${latent.concept}”, and they are `
      + `${share(latent.recall[top])} of all “${latent.concept}”.`,
  };
}

function said(x, y, content, faint) {
  const ink = faint ? "fill: var(--soft)" : "fill: var(--ink)";
  const style = `text-anchor: start; font-size: 12px; ${ink}`;
  return svg("text", { x, y, style }, content);
}

// As much of the words before as fits; the end of them is nearest to what matters.
function shortened(before, rest) {
  const room = WIDEST - rest;
  return before.length <= room ? before : `\u2026${before.slice(before.length - Math.max(0, room - 1))}`;
}

function examples(latent, top) {
  const shapes = [];
  latent.examples.forEach((rows, tenth) => {
    const y = 10 + TENTH * tenth;
    const faint = tenth > top;
    shapes.push(said(2, y + ROW / 2, tenth + 1, true));
    rows.forEach(([before, word, after, on], i) => {
      const middle = y + ROW * i;
      const fill = on ? "fill: var(--accent)" : "fill: none";
      const style = `${fill}; stroke: var(--accent); stroke-width: 2; opacity: ${faint ? 0.45 : 1}`;
      const square = { x: 22, y: middle - 4.5, width: 9, height: 9, style };
      shapes.push(svg("rect", { ...square, "data-example": `${tenth + 1},${on}` }));
      const start = shortened(before, word.length + after.length + 4);
      const text = said(38, middle, "", faint);
      const bold = svg("tspan", { style: faint ? "" : "font-weight: 700" }, `[${word}]`);
      text.append(start ? `${start} ` : "", bold, after ? ` ${after}` : "");
      const letters = start.length + word.length + after.length + 4;
      if (letters * LETTER > 278) {
        text.setAttribute("textLength", 278);
        text.setAttribute("lengthAdjust", "spacingAndGlyphs");
      }
      shapes.push(text);
    });
  });
  return { viewBox: `0 0 320 ${10 + 10 * TENTH}`, shapes };
}

function bars(latent, top, share) {
  const [left, wide] = [22, 240];
  const shapes = [];
  latent.tenths.forEach((value, tenth) => {
    const y = 10 + TENTH * tenth + ROW / 2;
    const faint = tenth > top;
    const opacity = `opacity: ${faint ? 0.35 : 1}`;
    shapes.push(said(2, y, tenth + 1, true));
    shapes.push(svg("rect", { x: left, y: y - 10, width: wide, height: 20, rx: 4, class: "cell" }));
    const width = Math.max(0.5, wide * value);
    const style = `fill: var(--accent); ${opacity}`;
    shapes.push(svg("rect", { x: left, y: y - 10, width, height: 20, rx: 4, style }));
    const told = said(left + wide + 8, y, share(value), faint);
    told.setAttribute("data-tenth", tenth + 1);
    shapes.push(told);
  });
  return { viewBox: `0 0 320 ${10 + 10 * TENTH}`, shapes };
}
