// What a row opens: made when it is opened, from data that is parsed when the first one is.
"use strict";

let parsedDetails = null;

function detailOf(result) {
  parsedDetails ??= JSON.parse(at("details").textContent);
  const detail = parsedDetails.results[result.number];
  const [network, networkHash, property, propertyHash] = parsedDetails.files[detail.files];
  return { ...detail, files: [["network", network, networkHash], ["property", property, propertyHash]] };
}

function detailsOf(result) {
  const detail = detailOf(result);
  const panes = make("div", { class: "panes" }, factsPane(result, detail));
  if (detail.witness) panes.append(witnessPane(detail.witness));
  if (detail.history) panes.append(pane("Proven bound against time", make("div", { class: "small history" })));
  if (detail.explanation) {
    panes.append(pane("Explanation", make("ul", {}, ...detail.explanation.map((line) => make("li", {}, line)))));
  }
  const files = make("dl", {}, ...detail.files.flatMap(([kind, path, hash]) => [
    make("dt", {}, kind),
    make("dd", {}, path, make("br"), make("span", { class: "mono note" }, "SHA-256 " + hash)),
  ]));
  panes.append(pane("Files", files, "full"));
  if (detail.log) {
    panes.append(pane(detail.cut ? "The end of its log; all that was kept is in the store" : "Log", make("pre", { class: "log" }, detail.log), "full"));
  }
  return panes;
}

function pane(title, content, kind = "") {
  return make("div", { class: kind }, make("h3", {}, title), content);
}

function factsPane(result, detail) {
  const megabytes = detail.memory === undefined ? "" : `${detail.memory} MB`;
  const facts = [
    ["verdict", result.verdict + (result.truth ? `, known to be ${result.truth}` : "")],
    ["fault", result.fault],
    ["settled by", detail.settled],
    ["detail", detail.detail],
    ["bound", detail.bound],
    ["time", `${shownSeconds(result.seconds)} s of ${result.timeout} s`],
    ["processor", detail.cpu === undefined ? "" : `${shownSeconds(detail.cpu)} s`],
    ["memory", megabytes],
    ["proof", detail.proof],
    ["worker", detail.worker],
    ["ended", detail.ended ? detail.ended.slice(0, 19).replace("T", " ") + " UTC" : ""],
  ];
  const told = facts.filter(([, value]) => value !== undefined && value !== "" && value !== null);
  const list = told.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))]);
  return pane("Result", make("dl", {}, ...list));
}

function witnessPane(witness) {
  const parts = [];
  if (witness.image) {
    const { width, height, low, high, step } = witness.image;
    const thinned = step > 1 ? `, every ${step}th pixel` : "";
    parts.push(make("canvas", { width, height, role: "img", "aria-label": "the witness's input as an image" }));
    parts.push(make("p", { class: "note" }, `${witness.inputs} inputs as an image, from ${low.toPrecision(4)} to ${high.toPrecision(4)}${thinned}`));
  } else {
    parts.push(numbers("input", witness.x, witness.inputs));
  }
  parts.push(numbers("output", witness.y, witness.outputs));
  if (witness.leads) parts.push(make("p", { class: "note" }, witness.leads));
  if (witness.distance) parts.push(make("p", { class: "bad" }, `outside the input set by ${witness.distance}`));
  const shapes = witness.shapes.map((shape) => "[" + shape.join(", ") + "]").join(" ");
  return pane(`Witness, ${shapes}`, make("div", {}, ...parts));
}

function numbers(kind, values, count) {
  const rest = count > values.length ? ` (the first ${values.length} of ${count}; all are in the store)` : "";
  const text = values.map(shownNumber).join("  ");
  return make("div", { class: "numbers" }, make("span", { class: "note" }, kind + rest + ": "), make("span", { class: "mono" }, text));
}

// Draws what needs to be in the document first.
function drawDetails(place, result) {
  const detail = detailOf(result);
  const canvas = place.querySelector("canvas");
  if (canvas) drawImage(canvas, detail.witness.image);
  const small = place.querySelector(".history");
  if (small) drawHistory(small, detail.history);
}

function drawImage(canvas, image) {
  const bytes = Uint8Array.from(atob(image.bytes), (character) => character.charCodeAt(0));
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(image.width, image.height);
  for (let pixel = 0; pixel < image.width * image.height; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      pixels.data[4 * pixel + channel] = bytes[image.channels * pixel + (image.channels === 3 ? channel : 0)];
    }
    pixels.data[4 * pixel + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
}
