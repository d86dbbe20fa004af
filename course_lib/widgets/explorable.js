// Everything here lives inside one function that Python wraps around it: nothing reaches `window`.
//
// A drawing script defines draw(data, positions), which returns
//   {panels: [{name, label, viewBox, shapes: [SVG elements]}, ...], summary: "one or two sentences"}.
// `name` is the panel's heading; `label` is a full sentence that says what is seen in it. A panel may
// have handles: [{x, y, value, text, name, to}], points to drag or to move with the arrow keys;
// `to(x, y)` writes the new place into `data`, which belongs to this picture alone, and all is drawn
// again. Without a name, handles are directions with a number.
// A script that has no sliders defines fill(stage, data) instead, and fills the stage itself.

const SVG = "http://www.w3.org/2000/svg";

// svg("line", {x1: 0, y2: 3, class: "axis"}, "text or child", ...)
function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function html(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const number = (value, digits) => {
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "\u2212");
};

function slider(settings, changed) {
  const value = html("output", { className: "value" });
  const input = html("input", {
    type: "range", min: 0, max: settings.shown.length - 1, step: 1, value: settings.start,
  });
  const show = () => {
    value.textContent = settings.shown[input.value];
    input.setAttribute("aria-valuetext", settings.shown[input.value]);
  };
  input.setAttribute("aria-label", settings.label);
  input.setAttribute("autocomplete", "off"); // Firefox would bring back an old position on reload
  value.setAttribute("aria-live", "off"); // the slider says it already
  input.addEventListener("input", () => { show(); changed(); });
  // JupyterLab and the book's own page keys would take the arrow keys away.
  input.addEventListener("keydown", (event) => event.stopPropagation());
  show();
  const name = html("span", { className: "name" }, settings.label);
  return { input, row: html("label", { className: "slider" }, name, value, input) };
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STEP = 5; // of a panel's units, for one press of an arrow key; with Shift 1

function handle({ x, y, value, text, name, to }, index, moved) {
  const grip = svg("circle", {
    cx: x, cy: y, r: 20, class: "handle", tabindex: 0, role: "slider", "data-handle": index,
    "aria-label": name ?? `direction ${index + 1}`, "aria-valuenow": value, "aria-valuetext": text,
    "aria-valuemin": -180, "aria-valuemax": 180,
  });
  grip.addEventListener("keydown", (event) => {
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    event.preventDefault();
    event.stopPropagation();
    const step = event.shiftKey ? 1 : STEP;
    to(x + step * arrow[0], y + step * arrow[1]);
    moved();
  });
  return grip;
}

// The drawing keeps the pointer while its handles are drawn anew under it.
function draggable(drawing, handles, moved) {
  let held = null;
  drawing.addEventListener("pointerdown", (event) => {
    held = event.target.dataset.handle ?? null;
    if (held === null) return;
    drawing.setPointerCapture(event.pointerId);
    event.preventDefault();
    event.target.focus();
  });
  drawing.addEventListener("pointermove", (event) => {
    if (held === null) return;
    const at = new DOMPoint(event.clientX, event.clientY)
      .matrixTransform(drawing.getScreenCTM().inverse());
    handles()[held].to(at.x, at.y);
    moved();
  });
  for (const end of ["pointerup", "pointercancel"]) drawing.addEventListener(end, () => { held = null; });
}

const withSliders = (draw) => (stage, data, sliders) => {
  const controls = sliders.map((settings) => slider(settings, update));
  const summary = html("p", { className: "summary" });
  const panels = html("div", { className: "panels" });
  summary.setAttribute("aria-live", "polite");
  let picture;

  function update() {
    picture = draw(data, controls.map(({ input }) => Number(input.value)));
    picture.panels.forEach(({ name, label, viewBox, shapes, handles }, k) => {
      if (!panels.children[k]) {
        const drawing = svg("svg", { role: handles ? "group" : "img" });
        panels.append(html("div", { className: "panel" }, html("p", {}), drawing));
        if (handles) draggable(drawing, () => picture.panels[k].handles, update);
      }
      const drawing = panels.children[k].lastChild;
      const held = drawing.querySelector("[data-handle]:focus")?.dataset.handle;
      panels.children[k].firstChild.textContent = name;
      drawing.setAttribute("viewBox", viewBox);
      drawing.setAttribute("aria-label", label);
      drawing.replaceChildren(...shapes, ...(handles ?? []).map((h, i) => handle(h, i, update)));
      if (held) drawing.querySelector(`[data-handle="${held}"]`)?.focus();
    });
    summary.textContent = picture.summary;
  }

  update();
  const rows = html("div", { className: "sliders" }, ...controls.map(({ row }) => row));
  stage.replaceChildren(rows, panels, summary);
};

// A page of the book keeps a picture's numbers in a script of their own, `data-src`, which is fetched
// when the picture comes near the screen or the page is printed. A script may be loaded where the
// page was opened from disk, and other files may not; it leaves its numbers on its own element.
function fetchNumbers(store, arrived) {
  const script = html("script", { src: store.dataset.src });
  script.addEventListener("load", () => arrived(script.courseData));
  script.addEventListener("error", () => arrived(null));
  document.head.append(script);
}

function whenNear(root, act) {
  const near = new IntersectionObserver((seen) => {
    if (seen.some((one) => one.isIntersecting)) begin();
  }, { rootMargin: "1000px" });
  const begin = () => {
    near.disconnect();
    window.removeEventListener("beforeprint", begin);
    act();
  };
  near.observe(root);
  window.addEventListener("beforeprint", begin);
}

// The script looks its figures up by key: document.currentScript is null where a front end makes
// scripts anew (JupyterLab), and one figure may stand twice on a page.
function start(key, fill) {
  for (const root of document.querySelectorAll(`.course-explorable[data-explorable="${key}"]`)) {
    if (root.courseBuilt) continue;
    root.courseBuilt = true;
    const stage = root.querySelector(".stage");
    const store = root.querySelector("script[type='application/json']");
    const show = ({ sliders, data }) => fill(stage, data, sliders);
    if (!store.dataset.src) {
      show(JSON.parse(store.text));
      continue;
    }
    whenNear(root, () => {
      stage.setAttribute("aria-busy", "true");
      fetchNumbers(store, (numbers) => {
        stage.removeAttribute("aria-busy");
        if (numbers) show(numbers);
        else stage.append(html("p", {}, "The numbers of this picture did not load. Reload the page."));
      });
    });
  }
}
