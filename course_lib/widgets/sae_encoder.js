// data: {planted [n_inputs], pre [n_lambda][n_inputs], line [n_lambda][2] (slope, intercept),
//        coefficients [n_lambda], shifts [n_shift]}

function draw({ planted, pre, line, coefficients, shifts }, [row, column]) {
  const shift = shifts[column];
  const rates = pre.map((values) => count(planted, values, shift));
  const now = rates[row];
  const [slope, intercept] = [line[row][0], line[row][1] + shift];
  const offset = coefficients[row] / 2;
  const said = `Of ${now.on} inputs with the feature the latent misses ${now.missed}; `
    + `of ${now.off} without, it fires on ${now.wrong}.`;
  return {
    panels: [
      {
        name: "What the latent says",
        label: `The latent against the planted magnitude a: its line is ${number(slope, 2)} a `
          + `${intercept < 0 ? "minus" : "plus"} ${number(Math.abs(intercept), 2)}. ${said}`,
        ...readings(planted, pre[row], [slope, intercept], shift, offset),
      },
      {
        name: "Missed and false, for every λ",
        label: `Share of inputs missed, from λ = ${coefficients[0]} up: `
          + `${rates.map((r) => percentage(r.missed / r.on)).join(", ")}. Share of false alarms: `
          + `${rates.map((r) => percentage(r.wrong / r.off)).join(", ")}.`,
        ...errors(rates, coefficients, row),
      },
    ],
    summary: `Line: z = ${number(slope, 2)} a ${intercept < 0 ? "\u2212" : "+"} `
      + `${number(Math.abs(intercept), 2)}, silent below a = ${number(-intercept / slope, 2)}; a `
      + `feature that is alone would be read as a \u2212 ${number(offset, 3)}. ${said}`,
  };
}

const percentage = (share) => `${number(100 * share, 0)} %`;

function count(planted, values, shift) {
  const tally = { on: 0, off: 0, missed: 0, wrong: 0 };
  planted.forEach((a, i) => {
    const fires = values[i] + shift > 0;
    tally[a > 0 ? "on" : "off"] += 1;
    if (a > 0 && !fires) tally.missed += 1;
    if (a === 0 && fires) tally.wrong += 1;
  });
  return tally;
}

function text(x, y, words, anchor = "start") {
  return svg("text", { x, y, class: "note", style: `text-anchor: ${anchor}` }, words);
}

// Left of zero stands a column for the inputs without the feature, spread out by their number.
function readings(planted, values, [slope, intercept], shift, offset) {
  const [low, high] = [-0.7, 1.05];
  const x = (a) => 74 + 236 * a;
  const y = (z) => 36 + (270 * (high - z)) / (high - low);
  const clipped = (z) => Math.min(high, Math.max(low, z));
  const across = (share, at, kind) => {
    const ends = [0, 1].map((a) => share * a + at);
    return svg("line", { x1: x(0), y1: y(ends[0]), x2: x(1), y2: y(ends[1]), class: kind });
  };
  const shapes = [
    svg("line", { x1: 8, y1: y(0), x2: 312, y2: y(0), class: "axis" }),
    svg("line", { x1: x(0), y1: y(low), x2: x(0), y2: y(high), class: "axis" }),
  ];
  let off = 0;
  planted.forEach((a, i) => {
    const z = values[i] + shift;
    const kind = a > 0 ? (z > 0 ? "hit" : "miss") : (z > 0 ? "wrong" : "quiet");
    const cx = a > 0 ? x(a) : 12 + ((off++ * 29) % 54);
    shapes.push(svg("circle", { cx, cy: y(clipped(z)), r: kind === "quiet" ? 1.5 : 2.6, class: kind }));
  });
  shapes.push(
    across(1, 0, "truth"), across(1, -offset, "ideal"), across(slope, intercept, "line"),
    ...[0.5, 1].map((tick) => text(x(0) - 4, y(tick), number(tick, 1), "end")),
    ...[0, 0.5, 1].map((tick) => text(x(tick), 318, number(tick, 1), "middle")),
    text(39, 318, "off", "middle"), text(312, y(0) + 12, "silent below", "end"),
    text(192, 336, "planted magnitude a", "middle"),
    text(8, 10, "thick: the latent's line; dashed: a; dotted: a \u2212 λ/2"),
    text(8, 24, "blue: missed; orange: false alarms"),
  );
  return { viewBox: "0 0 320 346", shapes };
}

function errors(rates, coefficients, row) {
  const top = Math.max(0.1, ...rates.flatMap((r) => [r.missed / r.on, r.wrong / r.off]));
  const x = (k) => 40 + (262 * k) / (rates.length - 1);
  const y = (share) => 290 - (250 * share) / top;
  const path = (value, kind) => {
    const points = rates.map((rate, k) => `${x(k)},${y(value(rate))}`).join(" ");
    return svg("polyline", { points, class: kind });
  };
  const missed = (rate) => rate.missed / rate.on;
  const wrong = (rate) => rate.wrong / rate.off;
  const dot = (value, kind) => svg("circle", { cx: x(row), cy: y(value(rates[row])), r: 6, class: kind });
  const shapes = [
    svg("line", { x1: 40, y1: 290, x2: 306, y2: 290, class: "axis" }),
    svg("line", { x1: x(row), y1: 40, x2: x(row), y2: 290, class: "axis" }),
    path(missed, "misses"), path(wrong, "wrongs"), dot(missed, "miss"), dot(wrong, "wrong"),
    ...[0, top / 2, top].map((share) => text(36, y(share), percentage(share), "end")),
    ...coefficients.map((value, k) => text(x(k), 304 + 13 * (k % 2), String(value), "middle")),
    text(172, 336, "L1 coefficient λ", "middle"),
    text(46, 10, "blue: missed, of inputs with the feature"),
    text(46, 24, "orange: false alarms, of inputs without"),
  ];
  return { viewBox: "0 0 320 346", shapes };
}
