// What all parts share: the data, and elements made of text that nothing interprets.
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
const FIELDS = ["benchmark", "name", "who", "verdict", "fault", "seconds", "truth", "timeout", "against", "key", "proof"];
const WRONG = 2; // of "against": contradicts the known verdict; 1 is a contradiction, 0 neither
const RESULTS = DATA.rows.map((row, number) => {
  const result = Object.fromEntries(FIELDS.map((field, column) => [field, row[column]]));
  result.number = number;
  result.who = DATA.contenders[result.who];
  result.benchmark = DATA.benchmarks[result.benchmark];
  result.fullName = result.benchmark + "/" + result.name;
  result.text = result.fullName.toLowerCase();
  if (result.proof) {
    const [bytes, seconds, checked, checkSeconds] = result.proof;
    result.proof = { bytes, seconds, checked, checkSeconds, there: bytes >= 0 };
  }
  result.solved = result.verdict === "sat" || result.verdict === "unsat";
  return result;
});
const at = (id) => document.getElementById(id);

// An element; children are elements, or text that is shown as it is.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const distinct = (values) => [...new Set(values)];

function shownSeconds(value) {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(3);
}

function shownProof(proof) {
  if (!proof) return "";
  return proof.there ? `${(proof.bytes / 1000).toFixed(1)} kB ${proof.checked}` : "none";
}

function shownNumber(value) {
  return value === null ? "not finite" : String(value);
}
