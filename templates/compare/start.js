
// Start ------------------------------------------------------------------------------------------------------------

function applyAll() {
  for (const apply of appliers) apply();
}

function start() {
  root.classList.add("js");
  startTheme();
  startSorting();
  startRows();
  startBoxes();
  startCharts();
  startBlends();
  startParallel(JSON.parse(byId("facts").textContent).parallel);
  readFragment();
  applyAll();
  if (anchor && state.size) byId(anchor).scrollIntoView();
  addEventListener("hashchange", () => {
    // A plain anchor is a way within the page: what was asked of it stays.
    const plain = location.hash.slice(1);
    if (byId(plain)) {
      anchor = plain;
      writeFragment();
    } else {
      readFragment();
      applyAll();
      if (anchor) byId(anchor).scrollIntoView();
    }
  });
}

start();
