// Arrow keys, space and page keys go from slide to slide; n shows or hides the notes.
(() => {
  const slides = [...document.querySelectorAll("section")];
  const nearest = () => {
    const tops = slides.map((slide) => Math.abs(slide.getBoundingClientRect().top));
    return tops.indexOf(Math.min(...tops));
  };
  const go = (index) => {
    const slide = slides[Math.max(0, Math.min(slides.length - 1, index))];
    slide.scrollIntoView();
    history.replaceState(null, "", "#" + slide.id);
  };
  const steps = { ArrowRight: 1, ArrowDown: 1, PageDown: 1, " ": 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1 };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "n") {
      const here = nearest();
      document.body.classList.toggle("with-notes");
      go(here);
    } else if (event.key === "Home" || event.key === "End") {
      go(event.key === "Home" ? 0 : slides.length - 1);
    } else if (event.key in steps) {
      go(nearest() + (event.shiftKey ? -1 : 1) * steps[event.key]);
    } else return;
    event.preventDefault();
  });
})();
