
// Sorting --------------------------------------------------------------------------------------------------------

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

function sortKey(row, column) {
  const cell = row.cells[column];
  const words = cell.textContent.trim();
  if ("v" in cell.dataset) return Number(cell.dataset.v);
  if (words !== "" && Number.isFinite(Number(words))) return Number(words);
  return words === "–" ? "" : words;
}

function compareKeys(a, b, sign) {
  // What is absent comes last, whichever way; numbers come before words.
  if (a === "" || b === "") return (a === "") - (b === "");
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return sign * (typeof a === "number" ? a - b : collator.compare(a, b));
}

function sortTable(table, column, way) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, at) => {
    if (at === column && way) head.setAttribute("aria-sort", way);
    else head.removeAttribute("aria-sort");
  });
  const sign = way === "descending" ? -1 : 1;
  const keyed = table.original.map((row) => [way ? sortKey(row, column) : 0, row]);
  if (way) keyed.sort(([a], [b]) => compareKeys(a, b, sign));
  body.append(...keyed.map(([, row]) => row));
}

function applySorting() {
  for (const table of all("table.sortable")) {
    const [, column, way] = /^(\d+)([ad])$/.exec(state.get(table.id) ?? "") ?? [];
    const at = Number(column);
    if (way && at < table.tHead.rows[0].cells.length) sortTable(table, at, way === "a" ? "ascending" : "descending");
    else if (table.querySelector("[aria-sort]")) sortTable(table, 0, null);
  }
}

function startSorting() {
  for (const table of all("table.sortable")) {
    table.original = [...table.tBodies[0].rows];
    [...table.tHead.rows[0].cells].forEach((head, at) => {
      const button = element("button", { type: "button" });
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const next = { ascending: "d", descending: null }[head.getAttribute("aria-sort")];
        keep(table.id, next === undefined ? `${at}a` : next && `${at}${next}`);
        applySorting();
      });
    });
  }
  appliers.push(applySorting);
}

// Filter and differences -----------------------------------------------------------------------------------------

function wantsDifferences() {
  return state.has("diff") ? state.get("diff") === "1" : root.dataset.differences === "on";
}

function applyRows() {
  const words = (state.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const onlyDifferent = wantsDifferences();
  let shown = 0, total = 0;
  for (const table of all("table.sortable")) {
    let here = 0;
    for (const row of table.original) {
      row.words ??= row.textContent.toLowerCase();
      row.hidden = (onlyDifferent && row.classList.contains("same")) || !words.every((word) => row.words.includes(word));
      here += !row.hidden;
    }
    total += table.original.length;
    shown += here;
    table.nothing.hidden = here === table.original.length;
    const left = table.original.length - here;
    table.nothing.textContent = `${left} ${left === 1 ? "row is" : "rows are"} hidden` +
      (words.length ? " by the filter" + (onlyDifferent ? " or equal." : ".") : ": all values are equal.");
    table.hidden = here === 0;
  }
  byId("filter").value = state.get("q") ?? "";
  byId("differences").checked = onlyDifferent;
  byId("count").textContent = shown === total && !words.length ? "" : `${shown} of ${total} rows shown`;
}

function startRows() {
  for (const table of all("table.sortable")) {
    table.nothing = element("p", { class: "nothing", hidden: "" });
    table.parentElement.after(table.nothing);
  }
  byId("filter").addEventListener("input", (event) => {
    const typed = event.target.value;
    keep("q", typed);
    applyRows();
    event.target.value = typed;
  });
  byId("filter").addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    keep("q", null);
    applyRows();
  });
  byId("differences").addEventListener("change", (event) => {
    keep("diff", event.target.checked === (root.dataset.differences === "on") ? null : event.target.checked ? "1" : "0");
    applyRows();
  });
  appliers.push(applyRows);
}

// A box is a stop of the Tab key only while it can be scrolled.
function startBoxes() {
  const watch = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth + 1) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  all(".scroll, .plot figure").forEach((box) => watch.observe(box));
}
