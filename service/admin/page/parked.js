// Parked events: a part for each subscription that has some, whose events are asked for when it is opened.

import { byId, make, row, setText } from "./dom.js";
import { count, shortId, subscriptionCommand, timeOfDay } from "./format.js";

function command(text) {
  const code = make("code", {}, text);
  const button = make("button", { type: "button", class: "small" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      setText(button, "Copied");
    } catch {
      getSelection().selectAllChildren(code);
      setText(button, "Selected");
    }
    setTimeout(() => setText(button, "Copy"), 2000);
  });
  return make("div", { class: "command" }, code, button);
}

function table(name, parked) {
  const body = make("tbody");
  for (const event of parked.events) {
    const line = subscriptionCommand("replay", name, `--event ${event.cursor}`);
    body.append(
      row([
        { text: `${new Date(event.parked).toISOString().slice(0, 10)} ${timeOfDay(event.parked)}`, label: "Parked", class: "mono" },
        { text: event.kind === "unknown" ? event.name || "no longer kept" : `${event.kind} ${event.what ?? ""}`, label: "Event" },
        { text: event.peer ?? "", label: "Peer", class: "mono" },
        { text: shortId(event.session) ?? "", label: "Session", class: "mono", title: event.session },
        { text: event.reason === "attempts" ? `failed ${event.attempts} ${event.attempts === 1 ? "time" : "times"}` : `by a consumer, attempt ${event.attempts}`, label: "Why" },
        { node: command(line), label: "Replay it" },
      ]),
    );
  }
  const head = ["Parked", "Event", "Peer", "Session", "Why", "Replay it"].map((title) => make("th", { scope: "col" }, title));
  return make("table", {}, make("caption", { class: "hidden" }, `Parked events of ${name}`), make("thead", {}, make("tr", {}, ...head)), body);
}

async function load(details, name) {
  const place = details.querySelector(".place");
  try {
    const answer = await fetch(`/parked?${new URLSearchParams({ subscription: name })}`);
    const parked = await answer.json();
    if (!answer.ok) throw new Error(parked.error.message);
    place.replaceChildren(table(name, parked));
    if (parked.more) place.append(make("p", { class: "note" }, `The oldest ${parked.events.length} are shown. All of them: ${subscriptionCommand("parked", name)}`));
  } catch (error) {
    place.replaceChildren(make("p", { class: "empty" }, `They cannot be shown: ${error.message}`));
  }
}

export function showParked(subscriptions) {
  const parked = subscriptions.filter((each) => each.parked > 0);
  const list = byId("parked-list");
  byId("parked").hidden = parked.length === 0;
  for (const gone of [...list.children]) {
    if (!parked.some((each) => each.name === gone.dataset.name)) gone.remove();
  }
  for (const { name, parked: number } of parked) {
    let details = [...list.children].find((each) => each.dataset.name === name);
    if (details === undefined) {
      details = make("details", { "data-name": name }, make("summary"), command(subscriptionCommand("replay", name, "--all")), make("div", { class: "place" }));
      details.addEventListener("toggle", () => details.open && load(details, name));
      list.append(details);
    }
    const text = `${name}: ${count(number)} parked`;
    const summary = details.querySelector("summary");
    if (summary.textContent !== text) {
      setText(summary, text);
      if (details.open) load(details, name);
    }
  }
}
