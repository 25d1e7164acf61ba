/* hpweb in the browser: theme, figures, keys, rows of the search space. No build step, no dependency but htmx and,
   on pages that draw, Plotly. Every page works without this file; it adds what a page cannot do alone. */
"use strict";

/* ---------------------------------------------------------------- theme */
const root = document.documentElement;

function chosenTheme() {
  return root.dataset.theme || "system";
}

function setTheme(theme) {
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  const age = theme === "system" ? 0 : 31536000;
  document.cookie = `theme=${theme}; Path=/; Max-Age=${age}; SameSite=Lax${secure}`;
  showTheme();
  drawFigures({ recolour: true });
}

function showTheme() {
  for (const button of document.querySelectorAll("[data-set-theme]"))
    button.setAttribute("aria-pressed", String(button.dataset.setTheme === chosenTheme()));
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawFigures({ recolour: true }));

/* -------------------------------------------------------------- figures
   <div id="history" data-figure="history-data" hx-preserve></div>
   <script type="application/json" id="history-data">{"data": [...], "layout": {...}}</script>
   hx-preserve keeps the drawing when its fragment is swapped; it is redrawn only if the JSON has changed. */
const drawn = new WeakMap(); // element -> the JSON text that it shows
const config = {
  displayModeBar: false,
  displaylogo: false,
  responsive: true,
  showSendToCloud: false,
  showTips: false,
  scrollZoom: false,
  doubleClick: "reset",
};

function colourReader() {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const known = new Map();
  const read = (token) => {
    if (!known.has(token)) {
      const [name, opacity] = token.slice("token:".length).split("/");
      if (name === "font") known.set(token, getComputedStyle(document.body).fontFamily);
      else {
        probe.style.color = `var(--${name})`;
        const colour = getComputedStyle(probe).color;
        known.set(token, opacity ? colour.replace(/rgba?\(([^,]+,[^,]+,[^,)]+).*/, `rgba($1, ${opacity})`) : colour);
      }
    }
    return known.get(token);
  };
  read.done = () => probe.remove();
  return read;
}

function resolved(node, read) {
  if (typeof node === "string") return node.startsWith("token:") ? read(node) : node;
  if (Array.isArray(node)) return typeof node.at(-1) === "number" ? node : node.map((item) => resolved(item, read)); // [0, "token:…"] is a stop of a colour scale
  if (node && typeof node === "object")
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, resolved(value, read)]));
  return node;
}

async function figureText(element) {
  if (!element.dataset.figureUrl) return document.getElementById(element.dataset.figure)?.textContent;
  const response = await fetch(element.dataset.figureUrl, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`the figure's data could not be loaded (HTTP ${response.status})`);
  return response.text();
}

async function drawFigure(element, read, recolour) {
  const text = await figureText(element);
  if (!text || (!recolour && drawn.get(element) === text)) return;
  const figure = resolved(JSON.parse(text), read);
  if (matchMedia("(pointer: coarse)").matches) figure.layout.dragmode = false; // a finger scrolls the page
  element.querySelector(".figure__wait")?.remove();
  await Plotly.react(element, figure.data, figure.layout, config);
  drawn.set(element, text);
  // A kept element may have been given another height by the fragment around it.
  if (element._fullLayout.height !== element.clientHeight) await Plotly.Plots.resize(element);
}

async function drawFigures({ recolour = false } = {}) {
  const elements = document.querySelectorAll("[data-figure], [data-figure-url]");
  if (!elements.length || !window.Plotly) return;
  const read = colourReader();
  try {
    await Promise.all(
      [...elements].map((element) =>
        drawFigure(element, read, recolour).catch((error) => {
          element.textContent = `This chart cannot be drawn: ${error.message}. Its table has the same numbers.`;
          console.error(error);
        }),
      ),
    );
  } finally {
    read.done();
  }
}

function downloadFigure(button) {
  const element = document.getElementById(button.dataset.download);
  Plotly.downloadImage(element, { format: "png", filename: button.dataset.filename || element.id, scale: 2 });
}

/* ------------------------------------------------- polling and swapping */
document.addEventListener("htmx:beforeRequest", (event) => {
  const polls = event.detail.elt.getAttribute("hx-trigger")?.startsWith("every");
  if (!polls) return;
  const busy = event.detail.elt.contains(document.activeElement) && document.activeElement.matches("input:not([type=checkbox]), select, textarea");
  if (document.hidden || busy) event.preventDefault();
});
/* What a person has done to the part of the page that is swapped, by id: it must survive the swap. */
const kept = { open: new Set(), checked: new Set(), scrolled: new Map() };

document.addEventListener("htmx:beforeSwap", (event) => {
  const part = event.detail.target;
  kept.open = new Set([...part.querySelectorAll("details[id][open]")].map((element) => element.id));
  kept.checked = new Set([...part.querySelectorAll("input[type=checkbox][id]:checked")].map((element) => element.id));
  kept.scrolled = new Map(
    [...part.querySelectorAll(".table-scroll[id], .log[id], .tabs")].map((element) => [element.id, [element.scrollLeft, element.scrollTop]]),
  );
});
document.addEventListener("htmx:afterSettle", () => {
  for (const id of kept.open) document.getElementById(id)?.setAttribute("open", "");
  for (const [id, [left, top]] of kept.scrolled) document.getElementById(id)?.scrollTo({ left, top, behavior: "instant" });
  for (const id of kept.checked) selectBox(document.getElementById(id));
  drawFigures();
  showCompare();
  restoreRow();
  markInvalid();
});
const refusals = {
  401: "You are signed out, so this page is no longer up to date. Reload it to sign in.",
  404: "What this page shows has been deleted or made private. Go to the studies to see what there is.",
};
document.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  announce(refusals[status] || `The server answered ${status}: this part of the page may be out of date. It is asked again.`);
});
document.addEventListener("htmx:sendError", () => announce("The server cannot be reached. This page keeps what it shows and tries again."));
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful || event.detail.xhr?.status === 304) announce("");
});

/* Once something is kept, the address of the page names its draft: a reload or a bookmark finds it again. */
document.addEventListener("htmx:afterRequest", (event) => {
  const form = document.getElementById("new-study");
  if (form && event.detail.successful && event.detail.requestConfig.path.includes("draft=")) history.replaceState(null, "", form.action);
});

function announce(text) {
  const line = document.getElementById("connection");
  if (!line || line.textContent === text) return;
  line.textContent = text;
  line.hidden = !text;
}

/* ----------------------------------------------------------------- keys */
let currentRow = null; // the id of the row, so that it survives a swap

function rows() {
  return [...document.querySelectorAll("table[data-keys] tbody tr")];
}

function showRow(row) {
  for (const other of document.querySelectorAll("tr.is-current")) other.classList.remove("is-current");
  if (!row) return;
  row.classList.add("is-current");
  currentRow = row.id;
}

function restoreRow() {
  if (currentRow) showRow(document.getElementById(currentRow));
}

function moveRow(by) {
  const all = rows();
  if (!all.length) return;
  const now = all.findIndex((row) => row.classList.contains("is-current"));
  const next = all[Math.min(Math.max(now + by, 0), all.length - 1)];
  showRow(next);
  next.scrollIntoView({ block: "nearest" });
  next.querySelector("a")?.focus({ preventScroll: true });
}

function selectBox(box) {
  if (!box || box.closest("form[method=post]")) return;
  box.checked = true;
  box.closest("tr")?.classList.add("is-selected");
}

function selectRow() {
  const box = document.querySelector("tr.is-current input[type=checkbox]");
  if (!box) return;
  box.checked = !box.checked;
  box.dispatchEvent(new Event("change", { bubbles: true }));
}

const keys = {
  j: () => moveRow(1),
  k: () => moveRow(-1),
  x: selectRow,
  c: () => document.querySelector("[data-compare]:not(:disabled)")?.click(),
  "/": () => document.querySelector("[data-search]")?.focus(),
  "?": () => document.getElementById("keys")?.showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeMenus();
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=checkbox]), select, textarea, dialog")) return;
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});

/* ----------------------------------------------- menus, clicks, changes */
function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== except) menu.open = false;
}

document.addEventListener("click", (event) => {
  closeMenus(event.target.closest("details.menu"));
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.setTheme) {
    event.preventDefault();
    setTheme(button.dataset.setTheme);
  } else if (button.dataset.download) downloadFigure(button);
  else if ("keysOpen" in button.dataset) document.getElementById("keys")?.showModal();
  else if (button.dataset.copy) copyText(button);
  else if ("addRow" in button.dataset) addRow(event, button);
  else if ("removeRow" in button.dataset) removeRow(event, button);
  else if (button.dataset.fix) fixRow(event, button);
});

async function copyText(button) {
  const text = document.getElementById(button.dataset.copy).textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch (error) {
    button.textContent = "Select it and copy by hand";
    console.warn(error);
  }
}

document.addEventListener("change", (event) => {
  const box = event.target;
  if (box.matches("tr input[type=checkbox]")) {
    box.closest("tr").classList.toggle("is-selected", box.checked);
    showCompare();
  }
});

function showCompare() {
  const button = document.querySelector("[data-compare]");
  if (!button) return;
  const chosen = document.querySelectorAll("table[data-keys] tbody input[type=checkbox]:checked").length;
  button.disabled = chosen < 2;
  button.textContent = chosen ? `Compare ${chosen}` : "Compare";
}

document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm || event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

/* ------------------------------------------------ rows of the search space
   The form works without script: a submit button named "add" or "remove" lets the server answer with another row or
   one row less. Here the same buttons act at once, by Django's formset rules: clone the empty row, count the total. */
function addRow(event, button) {
  const template = document.getElementById(button.dataset.addRow);
  const total = document.getElementById(button.dataset.total);
  if (!template || !total) return;
  event.preventDefault();
  const holder = document.createElement("div");
  holder.innerHTML = template.innerHTML.replaceAll("__prefix__", total.value);
  const row = holder.firstElementChild;
  document.getElementById(button.dataset.into).append(row);
  total.value = Number(total.value) + 1;
  row.querySelector("input:not([type=hidden])")?.focus();
  row.dispatchEvent(new Event("change", { bubbles: true }));
}

function removeRow(event, button) {
  const row = button.closest(".space-row");
  const mark = row?.querySelector("input[name$=-DELETE]");
  if (!mark) return;
  event.preventDefault();
  mark.checked = true;
  row.hidden = true;
  row.dispatchEvent(new Event("change", { bubbles: true }));
}

/* What the server would type for the same button, typed here; the change asks the server what it says now. */
function fixRow(event, button) {
  const row = document.getElementById(button.dataset.row);
  if (!row) return;
  event.preventDefault();
  const fields = Object.entries(JSON.parse(button.dataset.fix)).map(([name, text]) => [row.querySelector(`[name="${row.id}-${name}"]`), text]);
  for (const [field, text] of fields) if (field) field.value = text;
  (fields.find(([field]) => field?.offsetParent)?.[0] || row.querySelector("input"))?.focus();
  row.dispatchEvent(new Event("change", { bubbles: true }));
}

/* The server's answer to a change holds errors by row; the field that each is about is marked here. */
function markInvalid() {
  for (const field of document.querySelectorAll(":is(.space-row, .sources) [aria-invalid]")) field.removeAttribute("aria-invalid");
  for (const error of document.querySelectorAll(":is(.space-row, .sources) [data-invalid]"))
    document.getElementById(error.dataset.invalid)?.setAttribute("aria-invalid", "true");
}

/* ---------------------------------------------------------------- start */
showTheme();
showCompare();
markInvalid();
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
drawFigures();
