// The live tail: a connection of its own, opened anew when the filter changes.

import { byId, make, row, setText } from "./dom.js";
import { count, shortId, timeOfDay } from "./format.js";

const kMostRows = 200;

let source;
let paused = false;
let held = [];

function tag(kind) {
  return make("span", { class: `tag ${kind}` }, kind);
}

function what(event) {
  const words = [event.what || event.name];
  if (event.suspect) words.push("suspect");
  if (event.test) words.push("test");
  if (event.attempt) words.push(`attempt ${event.attempt}`);
  return words.join(" · ");
}

function rowOf(event) {
  return row([
    { text: timeOfDay(event.at), label: "Time", class: "mono", title: new Date(event.at).toISOString() },
    { node: tag(event.kind), label: "Kind" },
    { text: what(event), label: "What", class: event.what === "failed" ? "failed" : "" },
    { text: event.peer ?? "", label: "Peer", class: "mono" },
    { text: shortId(event.session) ?? "", label: "Session", class: "mono", title: `${event.session} (${event.account})` },
    { text: shortId(event.delivery) ?? "", label: "Delivery", class: "mono", title: event.delivery },
  ]);
}

function gap(text) {
  const made = make("tr", { class: "gap" });
  made.append(make("td", { colspan: 6 }, text));
  return made;
}

// New rows come in on top, once a frame of the screen however many they are.
function add(made) {
  if (held.length === 0) requestAnimationFrame(show);
  held.push(made);
}

function show() {
  if (paused) {
    setText(byId("tail-note"), `Paused; ${count(held.length)} newer not shown.`);
    return;
  }
  const body = byId("tail-rows");
  body.prepend(...held.slice(-kMostRows).reverse());
  held = [];
  while (body.children.length > kMostRows) body.lastElementChild.remove();
  byId("tail-empty").hidden = true;
  setText(byId("tail-note"), `Showing the newest ${count(body.children.length)}.`);
}

export function openTail() {
  source?.close();
  const form = byId("filter");
  if (!form.reportValidity()) return;
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
  held = [];
  byId("tail-rows").replaceChildren();
  byId("tail-empty").hidden = false;
  setText(byId("tail-empty"), query.size > 0 ? "Nothing yet that fits the filter." : "Nothing yet. Events show up here as they are stored.");
  setText(byId("tail-note"), "Waiting for events.");
  const opened = new EventSource(`/events?${query}`);
  source = opened;
  opened.addEventListener("event", (message) => {
    const event = JSON.parse(message.data);
    add(event.failure ? gap(event.failure) : rowOf(event));
  });
  opened.addEventListener("skipped", (message) => add(gap(`${count(Number(message.data))} not shown`)));
  opened.addEventListener("open", () => {
    // A connection that came again shows the newest from the start.
    byId("tail-rows").replaceChildren();
    held = [];
  });
  opened.addEventListener("error", () => setText(byId("tail-note"), "The connection broke; trying again."));
}

export function closeTail() {
  source?.close();
}

// The sessions to choose from are those that the overview names.
export function offerSessions(sessions) {
  const select = byId("filter-session");
  const ids = sessions.map((session) => session.id);
  const offered = [...select.options].slice(1).map((option) => option.value);
  if (ids.join() === offered.join()) return;
  const chosen = select.value;
  select.replaceChildren(select.options[0], ...ids.map((id) => make("option", { value: id }, shortId(id))));
  select.value = ids.includes(chosen) ? chosen : "";
}

export function startTail() {
  const form = byId("filter");
  const pause = byId("pause");
  form.addEventListener("change", openTail);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    openTail();
  });
  form.addEventListener("reset", () => setTimeout(openTail));
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    setText(pause, paused ? "Resume" : "Pause");
    if (paused) setText(byId("tail-note"), "Paused.");
    else if (held.length > 0) show();
    else setText(byId("tail-note"), `Showing the newest ${count(byId("tail-rows").children.length)}.`);
  });
  openTail();
}
