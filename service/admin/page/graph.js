// The graph of events a second: drawn anew with each overview, told in words to those who do not see it.

import { byId, setText } from "./dom.js";
import { count } from "./format.js";

const kSeconds = 300;
const kWidth = 600;
const kHeight = 160;

// The next round figure above the largest: 4, 5, 10, 20, 50 …
function ceiling(most) {
  const power = 10 ** Math.floor(Math.log10(Math.max(most, 1)));
  for (const step of [1, 2, 3, 4, 5, 6, 8, 10]) {
    if (most <= step * power) return Math.max(4, step * power);
  }
  return most;
}

export function drawGraph(history) {
  const most = Math.max(0, ...history);
  const top = ceiling(most);
  const step = kWidth / (kSeconds - 1);
  const start = kWidth - (history.length - 1) * step;
  const points = history.map((value, i) => `${(start + i * step).toFixed(1)},${(kHeight - (value / top) * kHeight).toFixed(1)}`);
  const svg = byId("graph");
  svg.querySelector(".line").setAttribute("d", points.length > 1 ? `M${points.join("L")}` : "");
  svg.querySelector(".area").setAttribute("d", points.length > 1 ? `M${start.toFixed(1)},${kHeight}L${points.join("L")}L${kWidth},${kHeight}Z` : "");
  const now = history.at(-1) ?? 0;
  const sum = history.reduce((all, value) => all + value, 0);
  svg.setAttribute("aria-label", `Events a second over the last five minutes: now ${count(now)}, at most ${count(most)}, ${count(sum)} in all`);
  setText(byId("graph-note"), `${count(sum)} in the last five minutes, at most ${count(most)} in a second`);
  setText(byId("graph-most"), `scale: 0 to ${count(top)}`);
}
