// The table of all results: filtered, sorted, and rendered a page at a time.
"use strict";

const PAGE = 150;
const MARKS = ["", "CONTRADICTED", "WRONG"];
const severalRuns = distinct(DATA.contenders.map((who) => who.run)).length > 1;
const anyProofs = RESULTS.some((r) => r.proof);
const proofState = (r) => (r.proof ? (r.proof.there ? r.proof.checked || "not checked" : "no proof") : "none wanted");
const COLUMNS = [
  { title: "instance", of: (r) => r.text },
  { title: "method", of: (r) => r.who.method },
  { title: "verdict", of: (r) => r.verdict },
  { title: "known", of: (r) => r.truth },
  { title: "seconds", of: (r) => r.seconds, number: true },
  ...(severalRuns ? [{ title: "run", of: (r) => r.who.run }] : []),
  ...(anyProofs ? [{ title: "proof", of: (r) => (r.proof ? r.proof.bytes : -2) }] : []),
  { title: "fault", of: (r) => r.fault },
];
const FILTERS = [
  { name: "benchmark", of: (r) => r.benchmark, all: "all benchmarks" },
  { name: "method", of: (r) => r.who.method, all: "all methods" },
  { name: "run", of: (r) => r.who.run, all: "all runs" },
  { name: "verdict", of: (r) => r.verdict, all: "all verdicts" },
  { name: "fault", of: (r) => r.fault || "none", all: "any fault or none" },
  { name: "proof", of: proofState, all: "any proof or none" },
];
const view = { shown: RESULTS, count: 0, column: null, descending: false };

function startTable() {
  for (const filter of FILTERS) {
    const select = at("filter-" + filter.name);
    select.append(make("option", { value: "" }, filter.all));
    const values = distinct(RESULTS.map(filter.of)).sort();
    values.forEach((value) => select.append(make("option", { value: value }, value)));
    select.hidden = values.length < 2;
    select.addEventListener("change", refresh);
  }
  const head = document.querySelector("#rows thead tr");
  COLUMNS.forEach((column) => {
    const button = make("button", { type: "button", onclick: () => sortBy(column) }, column.title);
    column.head = make("th", { class: column.number ? "n" : "", "aria-sort": "none" }, button);
    head.append(column.head);
  });
  at("filter-text").addEventListener("input", refresh);
  at("filters").addEventListener("submit", (event) => event.preventDefault());
  at("filters").addEventListener("reset", () => setTimeout(refresh));
  at("more").addEventListener("click", renderMore);
  document.querySelectorAll("[data-find]").forEach((link) => link.addEventListener("click", () => find(RESULTS[link.dataset.find])));
  refresh();
}

function sortBy(column) {
  view.descending = view.column === column && !view.descending;
  view.column = column;
  COLUMNS.forEach((other) => {
    const order = view.descending ? "descending" : "ascending";
    other.head.setAttribute("aria-sort", other === column ? order : "none");
    other.head.dataset.order = other === column ? (view.descending ? "↓" : "↑") : "";
  });
  refresh();
}

function refresh() {
  const words = at("filter-text").value.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = FILTERS.map((filter) => [filter.of, at("filter-" + filter.name).value]).filter(([, value]) => value);
  view.shown = RESULTS.filter(
    (r) => words.every((word) => r.text.includes(word)) && chosen.every(([of, value]) => of(r) === value),
  );
  if (view.column) {
    const { of } = view.column;
    const sign = view.descending ? -1 : 1;
    view.shown.sort((a, b) => sign * (of(a) < of(b) ? -1 : of(a) > of(b) ? 1 : 0));
  }
  at("shown").textContent = `${view.shown.length} of ${RESULTS.length}`;
  document.querySelector("#rows tbody").replaceChildren();
  view.count = 0;
  renderMore();
}

function renderMore() {
  const next = view.shown.slice(view.count, view.count + PAGE);
  document.querySelector("#rows tbody").append(...next.map(rowOf));
  view.count += next.length;
  const left = view.shown.length - view.count;
  at("more").hidden = left === 0;
  at("more").textContent = `Show ${Math.min(left, PAGE)} more of ${left}`;
}

// A name that may be broken after what joins its words, rather than within a word.
function breakable(name) {
  return name.split(/(?<=[\/_\-.|])/).flatMap((part) => [part, make("wbr")]);
}

function rowOf(result) {
  const row = make(
    "tr",
    { class: "row", tabindex: "0", "aria-expanded": "false", "data-number": result.number },
    make("td", { class: "name" }, ...breakable(result.fullName)),
    make("td", {}, result.who.method),
    make("td", {}, make("span", { class: "word " + result.verdict }, result.verdict)),
    make("td", {}, result.truth, " ", result.against ? make("span", { class: "mark" }, MARKS[result.against]) : ""),
    make("td", { class: "n" }, result.verdict === "not done" ? "" : shownSeconds(result.seconds)),
    severalRuns ? make("td", {}, result.who.run) : null,
    anyProofs ? make("td", {}, shownProof(result.proof)) : null,
    make("td", {}, result.fault),
  );
  row.addEventListener("click", () => toggle(row, result));
  row.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      toggle(row, result);
    }
  });
  return row;
}

function toggle(row, result) {
  const open = row.classList.toggle("open");
  row.setAttribute("aria-expanded", open);
  if (!open) {
    row.nextElementSibling.remove();
    return;
  }
  row.after(make("tr", { class: "details" }, make("td", { colspan: COLUMNS.length }, detailsOf(result))));
  drawDetails(row.nextElementSibling, result);
}

// Shows the results of one instance alone, with the details of the given one open.
function find(result) {
  FILTERS.forEach((filter) => (at("filter-" + filter.name).value = ""));
  at("filter-text").value = result.fullName;
  refresh();
  while (view.count < view.shown.indexOf(result) + 1) renderMore();
  document.querySelector(`#rows tr.row[data-number="${result.number}"]`).click();
}

startTable();
