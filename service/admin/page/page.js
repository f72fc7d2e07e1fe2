// The page's frame: takes the overview as it comes and gives each part what it shows.

import { byId, make, pill, setText, syncFacts, syncRows } from "./dom.js";
import { ago, ahead, bytes, count, rate, seconds, shortId } from "./format.js";
import { drawGraph } from "./graph.js";
import { showParked } from "./parked.js";
import { closeTail, offerSessions, openTail, startTail } from "./tail.js";

// What was shown some seconds ago: rates and means are of the time since.
const kWindow = 5;
let past = [];

const stateWords = {
  connected: ["connected", "good"],
  disconnected: ["disconnected", "bad"],
  awaiting_scan: ["awaiting scan", "warn"],
  unwatched: ["not watched", "off"],
  unread: ["not read yet", "off"],
};

function showHead(now) {
  setText(byId("instance"), now.instance || "this gateway");
  setText(byId("version"), `${now.version} (${now.commit})`);
  setText(byId("uptime"), seconds((now.at - now.started) / 1000));
  const ready = byId("ready");
  setText(ready, now.health.ready ? "ready" : "not ready");
  ready.className = now.health.ready ? "pill good" : "pill bad";
  document.title = now.health.ready ? "aulm-gateway" : "not ready · aulm-gateway";
}

function problemsOf(now) {
  const problems = [];
  for (const { name, reason } of now.health.checks) {
    if (reason) problems.push(["bad", `${name}: ${reason}`]);
  }
  for (const [url, unreachable] of Object.entries(now.aulm.unreachable)) {
    if (unreachable) problems.push(["bad", `aulm cannot be reached at ${url}: sends are refused until it can`]);
  }
  const failed = Object.entries(now.store.errors).map(([kind, number]) => `${count(number)} ${kind}`);
  if (failed.length > 0) problems.push(["bad", `The store had errors since the start: ${failed.join(", ")}`]);
  for (const session of now.sessions) {
    if (session.suspect) problems.push(["bad", `Session ${shortId(session.id)} says connected, but tells no status of what it sends`]);
  }
  for (const quota of now.quotas) {
    if (quota.limit > 0 && quota.remaining <= 0 && quota.reset * 1000 > now.at) problems.push(["warn", `The quota of ${quota.account} is used up; it begins anew ${ahead(quota.reset * 1000, now.at)}`]);
  }
  for (const subscription of now.subscriptions.list) {
    if (subscription.parked > 0) problems.push(["warn", `${subscription.name} has ${count(subscription.parked)} parked events`]);
  }
  return problems;
}

function showProblems(now) {
  const list = byId("problems");
  const made = problemsOf(now).map(([style, text]) => make("li", { class: style }, text));
  const same = list.children.length === made.length && made.every((each, i) => each.isEqualNode(list.children[i]));
  if (!same) list.replaceChildren(...made);
  list.hidden = made.length === 0;
}

function showTraffic(now) {
  const before = past[0];
  const time = before ? (now.at - before.at) / 1000 : NaN;
  const mean = (part, sum, number) => (before ? (now[part][sum] - before[part][sum]) / (now[part][number] - before[part][number]) : NaN);
  const last = now.history.slice(-kWindow);
  setText(byId("tile-events"), rate(last.reduce((all, value) => all + value, 0) / Math.max(1, last.length)));
  setText(byId("tile-events-note"), `${count(now.store.appended)} since the start`);
  setText(byId("tile-sends"), before ? rate((now.sends.answered - before.sends.answered) / time) : "–");
  setText(byId("tile-sends-note"), `${count(now.sends.answered)} answered, ${count(now.sends.in_flight)} under way`);
  setText(byId("tile-waiting"), count(now.pacing.waiting));
  setText(byId("tile-streams"), count(now.streams.count));
  setText(byId("tile-streams-note"), now.streams.lag > 0 ? `the slowest ${count(now.streams.lag)} events behind` : "none is behind");
  setText(byId("tile-commit"), seconds(mean("store", "commit_s", "commits")));
  setText(byId("tile-aulm"), seconds(mean("aulm", "call_s", "calls")));
  drawGraph(now.history);
}

function showSessions(now) {
  const remark = (session) => {
    if (session.suspect) return "suspect: sends get no status";
    if (session.failing) return `last reading failed: ${session.failing}`;
    if (session.state === "awaiting_scan") return "pair it in aulm's dashboard";
    if (session.state === "disconnected") return "reconnect it in aulm's dashboard";
    return "";
  };
  syncRows(byId("sessions-rows"), now.sessions, ({ account, id }) => `${account}/${id}`, (session) => {
    const [word, style] = stateWords[session.state] ?? [session.word, "warn"];
    return [
      { text: session.id, label: "Session", class: "mono" },
      { text: session.account, label: "Account" },
      { node: session.suspect ? pill("suspect", "bad") : pill(word, style), label: "State" },
      { text: session.observed ? ago(session.observed, now.at) : "", label: "Since" },
      { text: remark(session), label: "Remark" },
    ];
  });
  byId("sessions-empty").hidden = now.sessions.length > 0;
  setText(byId("sessions-count"), now.sessions.length > 0 ? count(now.sessions.length) : "");
  offerSessions(now.sessions);
}

function showQuotas(now) {
  const made = now.quotas.map((quota) => {
    const part = quota.limit > 0 ? Math.min(1, Math.max(0, quota.remaining / quota.limit)) : 0;
    const style = part === 0 ? "bad" : part < 0.1 ? "warn" : "";
    const text = `${count(quota.remaining)} of ${count(quota.limit)} left`;
    const fill = make("span");
    fill.style.inlineSize = `${part * 100}%`;
    return make("li", {},
      make("div", { class: "head" }, make("strong", {}, quota.account), text),
      make("div", { class: `bar ${style}`, role: "meter", "aria-label": `Quota of ${quota.account}`, "aria-valuemin": "0", "aria-valuemax": quota.limit, "aria-valuenow": quota.remaining, "aria-valuetext": text }, fill),
      make("p", { class: "note" }, quota.reset * 1000 > now.at ? `begins anew ${ahead(quota.reset * 1000, now.at)}` : "its time is over: aulm will tell the new one"));
  });
  byId("quotas").replaceChildren(...made);
  byId("quotas-empty").hidden = made.length > 0;
}

function showLanes(now) {
  syncRows(byId("lanes-rows"), now.pacing.lanes.slice(0, 12), (lane) => `${lane.account}/${lane.session}/${lane.lane}`, (lane) => [
    { text: shortId(lane.session), label: "Session", class: "mono", title: `${lane.session} (${lane.account})` },
    { text: lane.lane, label: "Lane" },
    { text: count(lane.waiting), label: "Waiting", class: lane.waiting > 0 ? "number strong" : "number" },
    { text: ahead(lane.next, now.at), label: "Next slot", class: "number" },
    { text: lane.limit_today > 0 ? `${count(lane.sent_today)} of ${count(lane.limit_today)}` : count(lane.sent_today), label: "Today", class: "number" },
  ]);
  byId("lanes-empty").hidden = now.pacing.lanes.length > 0;
}

function showDelivery(now) {
  const subscriptions = now.subscriptions.list;
  syncRows(byId("subscriptions-rows"), subscriptions, ({ name }) => name, (each) => [
    { text: each.name, label: "Name", class: "strong" },
    { text: each.mode, label: "Mode" },
    { text: count(each.lag), label: "Lag", class: "number" },
    { text: each.lag > 0 ? seconds(each.lag_ms / 1000) : "", label: "Behind", class: "number" },
    { text: count(each.outstanding), label: "Outstanding", class: "number" },
    { text: count(each.consumers), label: "Consumers", class: "number" },
    { text: count(each.parked), label: "Parked", class: each.parked > 0 ? "number strong" : "number" },
  ], (each) => (each.parked > 0 || (each.consumers === 0 && each.lag > 0) ? "warn" : ""));
  setText(byId("subscriptions-count"), subscriptions.length > 0 ? count(subscriptions.length) : "");
  const empty = byId("subscriptions-empty");
  empty.hidden = subscriptions.length > 0 || now.subscriptions.pending;
  if (now.subscriptions.failure) setText(empty, `They cannot be read: ${now.subscriptions.failure}`);
  showParked(subscriptions);

  syncRows(byId("streams-rows"), now.streams.list.slice(0, 20), ({ id }) => id, (stream) => [
    { text: stream.id, label: "Stream", class: "mono" },
    { text: count(stream.lag), label: "Lag", class: "number" },
    { text: count(stream.events), label: "Events", class: "number" },
    { text: bytes(stream.bytes), label: "Bytes", class: "number" },
  ]);
  byId("streams-empty").hidden = now.streams.count > 0;
  setText(byId("streams-count"), now.streams.count > 0 ? count(now.streams.count) : "");
}

function showStore(now) {
  const { store } = now;
  const errors = Object.values(store.errors).reduce((all, number) => all + number, 0);
  syncFacts(byId("store-facts"), [
    ["Events kept", count(store.events)],
    ["Their size", bytes(store.bytes)],
    ["The oldest", store.events > 0 ? `${seconds(store.oldest_age_s)} old` : "–"],
    ["Repeated deliveries", count(store.duplicates)],
    ["Write-ahead log", bytes(store.wal_bytes)],
    ["Waiting for the disk", count(store.queued)],
    ["Errors", count(errors), errors > 0 ? "bad" : ""],
    ["The gateway's memory", bytes(now.memory)],
  ]);
  const counts = (part, bad) => Object.entries(part).sort((a, b) => b[1] - a[1]).map(([name, number]) => [name.replaceAll("_", " ").toLowerCase(), count(number), bad(name) ? "bad" : ""]);
  const webhooks = counts(now.webhooks, (name) => name === "store_failed" || name.includes("signature"));
  syncFacts(byId("webhook-facts"), webhooks);
  byId("webhook-empty").hidden = webhooks.length > 0;
  const calls = counts(now.aulm.by_reason, (name) => name !== "OK").slice(0, 10);
  syncFacts(byId("aulm-facts"), calls);
  byId("aulm-empty").hidden = calls.length > 0;
}

function show(now) {
  // A gateway that was started anew counts from 0.
  if (past.length > 0 && past.at(-1).started !== now.started) past = [];
  for (const part of [showHead, showProblems, showTraffic, showSessions, showQuotas, showLanes, showDelivery, showStore]) part(now);
  past = [...past.filter((each) => now.at - each.at <= kWindow * 1000), now];
}

function sayConnection(word, style) {
  const connection = byId("connection");
  if (connection.textContent === word) return;
  setText(connection, word);
  connection.className = `pill ${style}`;
}

// Open while somebody looks: a page in the background costs the gateway nothing.
let live;
function openLive() {
  live?.close();
  live = new EventSource("/live");
  live.addEventListener("overview", (message) => {
    show(JSON.parse(message.data));
    sayConnection("live", "good");
  });
  live.addEventListener("error", onBroken);
}

// The browser comes again by itself, unless it was refused.
async function onBroken(event) {
  sayConnection("connection lost, trying again", "bad");
  if (event.target.readyState !== EventSource.CLOSED) return;
  const answer = await fetch("/configuration").catch(() => undefined);
  if (answer?.status === 401) location.reload();
  if (answer?.ok) sayConnection("too many pages are open", "warn");
  setTimeout(() => live === event.target && !document.hidden && openLive(), 5000);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    live.close();
    closeTail();
    sayConnection("asleep", "off");
  } else {
    openLive();
    openTail();
  }
});

byId("configuration-details").addEventListener("toggle", async (event) => {
  if (!event.target.open) return;
  const answer = await fetch("/configuration");
  setText(byId("configuration-text"), answer.ok ? await answer.text() : "It cannot be read: reload the page.");
});

// The section that is in view is the one that the navigation marks.
const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    for (const link of links.values()) link.removeAttribute("aria-current");
    links.get(entry.target.id)?.setAttribute("aria-current", "true");
  }
}, { rootMargin: "-30% 0px -60% 0px" });
for (const section of document.querySelectorAll("main > section")) seen.observe(section);

openLive();
startTail();
