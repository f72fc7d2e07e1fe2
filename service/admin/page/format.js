// Figures and times, in words for people.

const whole = new Intl.NumberFormat("en");
const one = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const count = (number) => whole.format(number ?? 0);

export function rate(number) {
  if (number === undefined || Number.isNaN(number)) return "–";
  return number >= 100 ? whole.format(Math.round(number)) : one.format(number);
}

export function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (number >= 1024 && unit < units.length - 1) {
    number /= 1024;
    ++unit;
  }
  return `${one.format(number)} ${units[unit]}`;
}

export function seconds(number) {
  if (number === undefined || Number.isNaN(number)) return "–";
  if (number < 0.0995) return `${one.format(number * 1000)} ms`;
  if (number < 1) return `${Math.round(number * 1000)} ms`;
  if (number < 90) return `${one.format(number)} s`;
  if (number < 5400) return `${Math.round(number / 60)} min`;
  if (number < 172_800) return `${Math.round(number / 3600)} h`;
  return `${Math.round(number / 86_400)} days`;
}

// How long before `now` something was, both in milliseconds.
export function ago(at, now) {
  const gone = Math.max(0, (now - at) / 1000);
  return gone < 1 ? "now" : `${seconds(Math.floor(gone))} ago`;
}

// How far ahead of `now` something lies.
export function ahead(at, now) {
  const left = (at - now) / 1000;
  return left <= 0 ? "now" : `in ${seconds(left)}`;
}

export const timeOfDay = (at) => clock.format(new Date(at));

// The part of an id by which people know it.
export const shortId = (id) => (id && id.length > 13 ? `…${id.slice(-12)}` : id);

// The aulmctl line that does `verb` with a subscription. One that a caller made, here under CALLER/NAME, only that caller's
// token finds, under its own name.
export function subscriptionCommand(verb, ownedName, ...rest) {
  const slash = ownedName.indexOf("/");
  const token = slash < 0 ? [] : ["--token-file", `${ownedName.slice(0, slash)}.token`];
  return ["aulmctl", ...token, "subscriptions", verb, ownedName.slice(slash + 1), ...rest].join(" ");
}
