"use strict";
// What is asked of the page (filter, differences, theme, sorting, axes) lives in the address's fragment and nowhere
// else: a link shows the same, and nothing is stored.  `#metrics&q=auc&diff=0`: first the section, then the state.
const root = document.documentElement;
const byId = (id) => document.getElementById(id);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const state = new Map();
const appliers = [];
let anchor = "";

function readFragment() {
  const found = new URLSearchParams(location.hash.slice(1));
  state.clear();
  anchor = "";
  for (const [key, value] of found) {
    if (value === "" && byId(key)) anchor = key;
    else if (value !== "") state.set(key, value);
  }
}

function writeFragment() {
  const words = new URLSearchParams([...state].sort(([a], [b]) => (a < b ? -1 : 1))).toString();
  const fragment = [anchor, words].filter(Boolean).join("&");
  // Where a page has no address of its own (a sandboxed frame) it may not change it.
  try { history.replaceState(null, "", `#${fragment}`); } catch { /* the page works all the same */ }
}

function keep(key, value) {
  if (value === null || value === "") state.delete(key);
  else state.set(key, value);
  writeFragment();
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Theme ----------------------------------------------------------------------------------------------------------

const prefersDark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  return state.has("theme") ? state.get("theme") === "dark" : prefersDark.matches;
}

function applyTheme() {
  if (state.has("theme")) root.dataset.theme = state.get("theme") === "dark" ? "dark" : "light";
  else delete root.dataset.theme;
  byId("theme").setAttribute("aria-pressed", String(isDark()));
}

function startTheme() {
  byId("theme").addEventListener("click", () => {
    const wanted = isDark() ? "light" : "dark";
    keep("theme", (wanted === "dark") === prefersDark.matches ? null : wanted);
    applyTheme();
  });
  prefersDark.addEventListener("change", applyTheme);
  appliers.push(applyTheme);
}
