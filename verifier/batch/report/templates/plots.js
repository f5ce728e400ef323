// The plots, drawn by Plotly from the rows of the table.
"use strict";

const LEAST = 0.001; // seconds: what is faster is drawn here on logarithmic axes
// The colours of Okabe and Ito, which people who are blind to some colours tell apart as well; then other dashes.
const PALETTE = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#8a6d4b"];
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash"];
const SYMBOLS = { unsat: "circle", sat: "diamond", contradictory: "x" };
const WORDS = { unsat: "verified", sat: "falsified" };
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
// Plotly reads some HTML in its texts.
const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

function layout(x, y, more = {}) {
  const axis = { gridcolor: colour("line"), zeroline: false, linecolor: colour("line"), automargin: true };
  return {
    margin: { l: 50, r: 12, t: 34, b: 40 }, // the toolbar lies in the margin above the curves
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    modebar: { bgcolor: colour("card"), color: colour("soft"), activecolor: colour("link") },
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("ink") },
    hoverlabel: { align: "left" },
    legend: { orientation: "h", x: 0, xanchor: "left", yref: "container", y: 0, yanchor: "bottom" },
    xaxis: { ...axis, ...x },
    yaxis: { ...axis, ...y },
    ...more,
  };
}

// Plotly takes a second to be read, which is left until the page is there.
function plotly() {
  if (!window.Plotly) {
    const script = make("script", {}, at("plotly").textContent);
    document.head.append(script);
  }
  return window.Plotly;
}

const SETTINGS = { displaylogo: false, responsive: true, modeBarButtonsToRemove: ["sendChartToCloud", "lasso2d", "select2d"] };
const logAxis = (title, range) => ({ title: { text: title, standoff: 6 }, type: "log", dtick: 1, tickformat: "~g", range: range });

const largest = (values) => values.reduce((a, b) => Math.max(a, b), LEAST);

function resultsOf(who, benchmark = "") {
  return RESULTS.filter((r) => r.who === who && (!benchmark || r.benchmark === benchmark));
}

function drawCactus() {
  const benchmark = at("cactus-benchmark").value;
  const last = largest(RESULTS.map((r) => Math.max(r.timeout, r.seconds)));
  const traces = DATA.contenders.map((who, i) => {
    const solved = resultsOf(who, benchmark).filter((r) => r.solved && r.against !== WRONG);
    solved.sort((a, b) => a.seconds - b.seconds);
    const times = solved.map((r) => Math.max(LEAST, r.seconds));
    return {
      name: plain(who.label),
      x: times.length ? [...times, last] : [],
      y: times.length ? [...times.map((_, n) => n + 1), times.length] : [],
      text: [...solved.map((r) => plain(r.fullName)), ""],
      line: { shape: "hv", width: 2, color: PALETTE[i % PALETTE.length], dash: DASHES[i % DASHES.length] },
      mode: "lines",
      hovertemplate: "%{y} solved in %{x:.3~f} s<br>%{text}<extra></extra>",
    };
  });
  const count = { title: { text: "instances solved" }, rangemode: "tozero" };
  plotly().react("cactus", traces, layout(logAxis("seconds"), count, { showlegend: true }), SETTINGS);
}

// Results of the same contents: those of the same name first, then in their order; each has one partner.
function pairsOf(first, second) {
  const done = (who) => resultsOf(who).filter((r) => r.verdict !== "not done");
  const partner = new Map();
  let free = done(second);
  for (const same of [(r) => r.key + " " + r.fullName, (r) => String(r.key)]) {
    const waiting = new Map();
    free.forEach((r) => waiting.set(same(r), [...(waiting.get(same(r)) ?? []), r]));
    for (const r of done(first).filter((r) => !partner.has(r))) {
      const found = waiting.get(same(r))?.shift();
      if (found) partner.set(r, found);
    }
    free = [...waiting.values()].flat();
  }
  return done(first).filter((r) => partner.has(r)).map((r) => [r, partner.get(r)]);
}

function drawScatter() {
  const [first, second] = ["scatter-x", "scatter-y"].map((id) => DATA.contenders[at(id).value]);
  const pairs = pairsOf(first, second).filter(([a, b]) => a.solved || b.solved);
  const limit = largest(pairs.flat().map((r) => Math.max(r.timeout, r.solved ? r.seconds : 0)));
  const time = (r) => (r.solved ? Math.max(LEAST, r.seconds) : limit);
  const told = (r) => (r.solved ? shownSeconds(r.seconds) + " s, " : "") + r.verdict;
  const kinds = { unsat: "verified", sat: "falsified", contradictory: "alarm" };
  const kindOf = ([a, b]) => (a.solved && b.solved && a.verdict !== b.verdict ? "contradictory" : (a.solved ? a : b).verdict);
  const traces = Object.entries(kinds).map(([kind, name]) => {
    const chosen = pairs.filter((pair) => kindOf(pair) === kind);
    return {
      name: WORDS[kind] ?? kind,
      x: chosen.map(([a]) => time(a)),
      y: chosen.map(([, b]) => time(b)),
      text: chosen.map(([a, b]) => `<b>${plain(a.fullName)}</b><br>x: ${told(a)}<br>y: ${told(b)}`),
      customdata: chosen.map(([a]) => a.number),
      mode: "markers",
      marker: { color: colour(name), size: kind === "contradictory" ? 11 : 7, opacity: 0.7, symbol: SYMBOLS[kind] },
      hovertemplate: "%{text}<extra></extra>",
    };
  }).filter((trace) => trace.x.length);
  const least = traces.flatMap((trace) => [...trace.x, ...trace.y]).reduce((a, b) => Math.min(a, b), limit);
  const range = [Math.log10(least / 1.5), Math.log10(limit * 1.5)];
  const line = (x0, y0, x1, y1, dash) => ({ type: "line", x0, y0, x1, y1, layer: "below", line: { color: colour("soft"), width: 1, dash } });
  const ends = [least / 1.5, limit * 1.5];
  const shapes = [
    line(ends[0], ends[0], limit, limit, "dot"),
    line(limit, ends[0], limit, ends[1], "dash"),
    line(ends[0], limit, ends[1], limit, "dash"),
  ];
  const axes = [first, second].map((who) => logAxis(plain(who.label) + ", seconds", range));
  const note = { text: "not solved", x: 0.01, xref: "paper", y: Math.log10(limit), yref: "y", yanchor: "bottom", xanchor: "left", showarrow: false, font: { color: colour("soft"), size: 11 } };
  plotly().react("scatter", traces, layout(axes[0], axes[1], { shapes, annotations: [note], hovermode: "closest", showlegend: true }), SETTINGS);
}

// Counts on a logarithmic axis, four bars to a power of ten.
function histogram(id, title, groups) {
  const bin = (value) => Math.floor(4 * Math.log10(value));
  const traces = groups.map(({ name, values, colour: fill }) => {
    const counts = new Map();
    values.forEach((value) => counts.set(bin(value), (counts.get(bin(value)) ?? 0) + 1));
    const bins = [...counts.keys()].sort((a, b) => a - b);
    const edge = (n) => Math.pow(10, n / 4);
    return {
      name: name,
      type: "bar",
      x: bins.map((n) => Math.sqrt(edge(n) * edge(n + 1))),
      y: bins.map((n) => counts.get(n)),
      width: bins.map((n) => (edge(n + 1) - edge(n)) * 0.98),
      text: bins.map((n) => `${edge(n).toPrecision(2)} to ${edge(n + 1).toPrecision(2)}`),
      textposition: "none",
      marker: { color: fill, opacity: groups.length > 1 ? 0.6 : 0.85 },
      hovertemplate: "%{y} of %{text}<extra></extra>",
    };
  });
  const axis = { title: { text: title, standoff: 6 }, type: "log", dtick: 1, tickformat: "~g" };
  const count = { title: { text: "proofs" }, rangemode: "tozero" };
  plotly().react(id, traces, layout(axis, count, { barmode: "overlay", showlegend: groups.length > 1 }), SETTINGS);
}

function drawProofs() {
  if (!at("proof-sizes")) return;
  const proved = RESULTS.filter((r) => r.proof && r.proof.there);
  const checked = proved.filter((r) => r.proof.checked);
  const beside = (seconds, r) => Math.max(seconds, LEAST / 10) / Math.max(r.seconds, LEAST);
  histogram("proof-sizes", "kB", [{ name: "size", values: proved.map((r) => Math.max(r.proof.bytes, 1) / 1000), colour: colour("verified") }]);
  const groups = [{ name: "writing", values: proved.map((r) => beside(r.proof.seconds, r)), colour: PALETTE[0] }];
  if (checked.length) groups.push({ name: "checking", values: checked.map((r) => beside(r.proof.checkSeconds, r)), colour: PALETTE[1] });
  histogram("proof-times", "time as a multiple of verifying", groups);
}

function drawHistory(place, history) {
  const known = history.filter(([seconds, bound]) => seconds !== null && bound !== null);
  if (known.length < 2) {
    place.classList.remove("small");
    place.append(known.length ? `${known[0][1]} after ${known[0][0]} s, ${known[0][2]} open` : "No bound was known.");
    return;
  }
  const trace = {
    x: known.map(([seconds]) => seconds),
    y: known.map(([, bound]) => bound),
    text: known.map(([, , open]) => `${open} open`),
    mode: "lines+markers",
    line: { shape: "hv", color: colour("falsified") },
    hovertemplate: "%{y} after %{x} s, %{text}<extra></extra>",
  };
  const axes = [{ title: { text: "seconds", standoff: 6 } }, { title: { text: "bound" } }];
  plotly().newPlot(place, [trace], layout(...axes, { showlegend: false }), { ...SETTINGS, displayModeBar: false });
}

function startPlots() {
  DATA.benchmarks.forEach((name) => at("cactus-benchmark").append(make("option", { value: name }, name)));
  at("cactus-benchmark").addEventListener("change", drawCactus);
  const several = DATA.contenders.length > 1;
  for (const [id, chosen] of [["scatter-x", 0], ["scatter-y", 1]]) {
    DATA.contenders.forEach((who, i) => at(id).append(make("option", { value: i }, who.label)));
    at(id).value = several ? chosen : 0;
    at(id).disabled = !several;
    at(id).addEventListener("change", drawScatter);
  }
  at("scatter").hidden = !several;
  at("scatter-note").hidden = several;
  drawAll();
  dark.addEventListener("change", drawAll);
  if (several) {
    at("scatter").on("plotly_click", (event) => {
      const result = RESULTS[event.points[0].customdata];
      find(result);
      at("results").scrollIntoView();
    });
  }
}

function drawAll() {
  drawCactus();
  drawProofs();
  if (DATA.contenders.length > 1) drawScatter();
}

window.addEventListener("load", () => setTimeout(startPlots));
