
// Dots: one stop of the Tab key for each chart, arrows inside it ---------------------------------------------------

function startTip() {
  const tip = element("div", { id: "tip", role: "tooltip", hidden: "" });
  document.body.append(tip);
  let last = null;
  const hide = () => { tip.hidden = true; last?.classList.remove("seen"); };
  const show = (target) => {
    hide();
    last = target;
    target.classList.add("seen");
    tip.textContent = target.getAttribute("aria-label");
    tip.hidden = false;
    const at = target.getBoundingClientRect(), own = tip.getBoundingClientRect();
    const left = Math.min(Math.max(4, at.x + at.width / 2 - own.width / 2), innerWidth - own.width - 4);
    tip.style.left = `${left}px`;
    tip.style.top = `${at.y - own.height - 8 > 0 ? at.y - own.height - 8 : at.bottom + 8}px`;
  };
  for (const chart of all(".chart svg")) {
    const dots = all("circle", chart);
    chart.addEventListener("pointermove", (event) => {
      const away = dots.map((dot) => Math.abs(dot.getBoundingClientRect().x + dot.r.baseVal.value - event.clientX));
      show(dots[away.indexOf(Math.min(...away))]);
    });
    chart.addEventListener("pointerleave", hide);
    chart.addEventListener("focusin", (event) => show(event.target));
    chart.addEventListener("focusout", hide);
  }
  // What has the focus may have been scrolled into view just now.
  addEventListener("scroll", () => {
    if (!tip.hidden && last.matches(":focus")) show(last);
    else hide();
  }, { passive: true });
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
}

function startCharts() {
  for (const chart of all(".chart svg")) {
    const dots = all("circle", chart);
    for (const dot of dots) {
      // The title would show a second, slower tooltip.
      dot.setAttribute("aria-label", dot.firstElementChild.textContent);
      dot.setAttribute("role", "img");
      dot.setAttribute("tabindex", "-1");
      dot.replaceChildren();
    }
    rove(chart, () => dots, "ArrowLeft", "ArrowRight");
  }
  startTip();
}

// Among `items()` one is a stop of the Tab key; the arrows, Home and End move it.
function rove(box, items, back, forward) {
  const stop = (item) => {
    for (const other of items()) other.setAttribute("tabindex", other === item ? "0" : "-1");
  };
  const first = items().find((item) => item.classList.contains("on")) ?? items()[0];
  if (first) stop(first);
  box.addEventListener("keydown", (event) => {
    const known = items();
    const at = known.indexOf(document.activeElement);
    const moves = { [back]: at - 1, [forward]: at + 1, Home: 0, End: known.length - 1 };
    if (at < 0 || !(event.key in moves)) return;
    const next = known[Math.min(Math.max(moves[event.key], 0), known.length - 1)];
    stop(next);
    next.focus();
    event.preventDefault();
  });
}

// Pictures one over the other --------------------------------------------------------------------------------------

function startBlends() {
  for (const blend of all(".blend")) {
    const figures = all(".sides figure", blend.parentElement);
    const place = (n) => figures.find((figure) => figure.dataset.at === n);
    const select = blend.querySelector("select");
    const apply = () => {
      for (const figure of figures) figure.classList.remove("under", "upper");
      place(blend.dataset.under).classList.add("under");
      const upper = place(select.value);
      upper.classList.add("upper");
      for (const range of all("input", blend)) {
        const share = Number(range.value);
        upper.style.setProperty(`--${range.dataset.do}`, range.dataset.do === "swipe" ? `${share}%` : share / 100);
      }
    };
    blend.addEventListener("input", apply);
    apply();
  }
}
