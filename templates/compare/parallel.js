
// Parallel coordinates ---------------------------------------------------------------------------------------------

const PC = { width: 1100, top: 44, bottom: 324, absent: 350, side: 70, names: 14 };

function startParallel(data) {
  const svg = byId("pc");
  if (!svg || !data) return;
  const axes = data.axes.map((axis, at) => ({ ...axis, at, ...domain(axis), from: 0, to: 1 }));
  const points = new Map(data.points), off = new Set(data.off);
  let chosen = [], paths = [];

  // Those that are compared are drawn last, on top.
  const order = data.lines.map((_, n) => n).sort((a, b) => points.has(a) - points.has(b) || a - b);

  function draw() {
    chosen = axes.filter((axis) => axis.on);
    const x = (n) => Math.round(PC.side + (PC.width - 2 * PC.side) * (chosen.length > 1 ? n / (chosen.length - 1) : 0.5));
    byId("pc-axes").replaceChildren(...chosen.map((axis, n) => axisGroup(axis, x(n))));
    paths = (chosen.length ? order : []).map((line) => {
      const places = chosen.map((axis, n) => `${x(n)} ${Math.round(height(axis, axis.values[line]))}`);
      const path = drawn("path", { d: `M${places.join("L")}`, tabindex: "-1", role: "img", "aria-label": told(line) });
      path.setAttribute("class", [points.has(line) ? `on p${points.get(line) % 6}` : "", off.has(line) ? "off" : ""].join(" ").trim());
      path.line = line;
      return path;
    });
    byId("pc-lines").replaceChildren(...paths);
    svg.setAttribute("aria-label", `Parallel coordinates of ${data.lines.length} versions on ${chosen.length} axes`);
    narrow();
  }

  function told(line) {
    return `${data.lines[line]}: ${chosen.map((axis) => `${axis.name} ${said(axis, axis.values[line])}`).join(", ")}`;
  }

  function inside(line) {
    return chosen.every((axis) => {
      const value = axis.values[line];
      if (axis.from <= 0 && axis.to >= 1) return true;
      return value !== null && place(axis, value) >= axis.from - 1e-9 && place(axis, value) <= axis.to + 1e-9;
    });
  }

  function narrow() {
    let left = 0;
    for (const path of paths) {
      const kept = inside(path.line);
      path.classList.toggle("dim", !kept);
      path.setAttribute("aria-hidden", String(!kept));
      left += kept;
    }
    const kept = live();
    if (kept.length && !kept.some((path) => path.getAttribute("tabindex") === "0")) {
      for (const path of paths) path.setAttribute("tabindex", path === kept[0] ? "0" : "-1");
    }
    read(!chosen.length ? "No axis is chosen." : left === paths.length ? "" : `${left} of ${paths.length} versions are inside the ranges.`);
  }

  const live = () => paths.filter((path) => !path.classList.contains("dim")).sort((a, b) => a.line - b.line);
  const read = (words) => { byId("pc-read").textContent = words; };

  // A copy lies on top: the line itself would lose the focus if it were moved there.
  const upper = drawn("path", { id: "pc-seen", "aria-hidden": "true" });
  svg.append(upper);

  function see(path) {
    for (const other of all("#pc-lines .seen")) other.classList.remove("seen");
    upper.setAttribute("d", path ? path.getAttribute("d") : "M0 0");
    if (!path) return;
    path.classList.add("seen");
    read(path.getAttribute("aria-label"));
  }

  svg.addEventListener("pointermove", (event) => {
    const matrix = svg.getScreenCTM();
    if (!matrix || chosen.length < 2) return;
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    const gap = (PC.width - 2 * PC.side) / (chosen.length - 1);
    const n = Math.min(Math.max(Math.floor((at.x - PC.side) / gap), 0), chosen.length - 2);
    const part = Math.min(Math.max((at.x - PC.side) / gap - n, 0), 1);
    let best = null, least = 24;
    for (const path of live()) {
      const y = height(chosen[n], chosen[n].values[path.line]) * (1 - part) + height(chosen[n + 1], chosen[n + 1].values[path.line]) * part;
      if (Math.abs(y - at.y) < least) [best, least] = [path, Math.abs(y - at.y)];
    }
    if (best) see(best);
  });
  svg.addEventListener("pointerleave", () => see(document.activeElement?.closest?.("#pc-lines path")));
  svg.addEventListener("focusin", (event) => see(event.target.closest("path")));
  svg.addEventListener("focusout", () => see(null));

  byId("pc-controls").append(pickers(axes, () => { keepAxes(axes); draw(); ranges(); }), rangeBox());

  function rangeBox() {
    return element("details", { id: "pc-narrow" }, element("summary", {}, "Narrow down"), element("div", { class: "ranges" }));
  }

  function ranges() {
    byId("pc-narrow").lastElementChild.replaceChildren(...chosen.map((axis) => rangesOf(axis, () => { redrawSpans(); narrow(); })));
    redrawSpans();
  }

  function redrawSpans() {
    all(".axis", svg).forEach((group, n) => {
      group.querySelector(".span")?.remove();
      const axis = chosen[n];
      if (axis.from <= 0 && axis.to >= 1) return;
      const y = (share) => PC.bottom - share * (PC.bottom - PC.top);
      group.append(drawn("path", { class: "span", d: `M0 ${y(axis.from)}V${y(axis.to)}` }));
    });
  }

  appliers.push(() => { applyAxes(axes); draw(); ranges(); });
  draw();
  ranges();
  rove(svg, live, "ArrowUp", "ArrowDown");
}

function domain(axis) {
  if (axis.names.length) return { low: 0, high: axis.names.length - 1 };
  const known = axis.values.filter((value) => value !== null).map(axis.log ? Math.log10 : Number);
  return { low: known.reduce((a, b) => Math.min(a, b)), high: known.reduce((a, b) => Math.max(a, b)) };
}

function place(axis, value) {
  const at = axis.log ? Math.log10(value) : value;
  const span = axis.high / 2 - axis.low / 2;
  return span > 0 ? (at / 2 - axis.low / 2) / span : 0.5;
}

function height(axis, value) {
  return value === null ? PC.absent : PC.bottom - place(axis, value) * (PC.bottom - PC.top);
}

function short(number) {
  return String(Number(number.toPrecision(5)));
}

function said(axis, value) {
  if (value === null) return "none";
  return axis.names.length ? axis.names[value] : short(value);
}

function cut(words, most) {
  return words.length > most ? `${words.slice(0, most - 1)}…` : words;
}

function axisGroup(axis, x) {
  const kind = axis.param ? "param" : "metric";
  const tick = (value, words) => drawn("text", { class: "tick", x: 6, y: Math.round(height(axis, value)) + 4 }, words);
  const group = drawn("g", { class: `axis ${kind}`, transform: `translate(${x} 0)` },
    drawn("path", { d: `M0 ${PC.top}V${PC.bottom}` }),
    drawn("text", { class: "name", y: 20, "text-anchor": "middle" }, cut(axis.name, 20)),
    drawn("text", { class: "tick", y: 34, "text-anchor": "middle" }, kind + (axis.log ? ", log" : "")));
  if (axis.names.length) {
    const step = Math.ceil(axis.names.length / PC.names);
    axis.names.forEach((name, n) => { if (n % step === 0) group.append(tick(n, cut(name, 18))); });
  } else {
    const back = (value) => (axis.log ? 10 ** value : value);
    for (const value of new Set([axis.low, axis.high])) group.append(tick(back(value), String(Number(back(value).toPrecision(4)))));
  }
  if (axis.values.includes(null)) group.append(tick(null, "none"));
  return group;
}

function pickers(axes, changed) {
  const box = element("div", { class: "picks", role: "group", "aria-label": "Axes" });
  for (const axis of axes) {
    const input = element("input", { type: "checkbox" });
    axis.input = input;
    input.checked = axis.on;
    axis.first = axis.on;
    input.addEventListener("change", () => { axis.on = input.checked; changed(); });
    box.append(element("label", {}, input, `${axis.name} `, element("span", { class: "quiet" }, axis.param ? "param" : "metric")));
  }
  return element("details", { id: "pc-pick" }, element("summary", {}, `Axes (${axes.length})`), box);
}

function keepAxes(axes) {
  const same = axes.every((axis) => axis.on === axis.first);
  keep("axes", same ? null : axes.filter((axis) => axis.on).map((axis) => axis.at).join("-") || "none");
}

function applyAxes(axes) {
  const wanted = state.has("axes") ? new Set(state.get("axes").split("-").map(Number)) : null;
  for (const axis of axes) {
    axis.on = wanted ? wanted.has(axis.at) : axis.first;
    axis.input.checked = axis.on;
  }
}

function rangesOf(axis, changed) {
  const most = axis.names.length ? Math.max(axis.names.length - 1, 1) : 100;
  const output = element("output", {});
  const range = (name, start) => {
    const input = element("input", { type: "range", min: 0, max: most, step: 1, value: Math.round(start * most) });
    return [input, element("label", {}, name, input)];
  };
  const [low, lowLabel] = range(axis.names.length ? "First" : "Lowest", axis.from);
  const [high, highLabel] = range(axis.names.length ? "Last" : "Highest", axis.to);
  const value = (share) => {
    const at = axis.low + share * (axis.high - axis.low);
    return said(axis, axis.names.length ? Math.round(at) : axis.log ? 10 ** at : at);
  };
  const tell = () => {
    output.textContent = `${value(axis.from)} to ${value(axis.to)}`;
    low.setAttribute("aria-valuetext", value(axis.from));
    high.setAttribute("aria-valuetext", value(axis.to));
  };
  const take = (event) => {
    if (Number(low.value) > Number(high.value)) (event.target === low ? high : low).value = event.target.value;
    [axis.from, axis.to] = [Number(low.value) / most, Number(high.value) / most];
    tell();
    changed();
  };
  low.addEventListener("input", take);
  high.addEventListener("input", take);
  tell();
  return element("fieldset", {}, element("legend", {}, axis.name), lowLabel, highLabel, output);
}
