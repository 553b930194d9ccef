/** Numbers, times and names as people read them. */

const whole = new Intl.NumberFormat("en");
// Made once: to make one takes longer than all else that a row of the list needs.
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const date = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const minute = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const second = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

/** @param {number} n */
export const count = (n) => whole.format(n);

/** 12.3K: for places without room. @param {number} n */
export const brief = (n) => (n < 10_000 ? whole.format(n) : short.format(n));

/** @param {number} share */
export function percent(share) {
  const of100 = share * 100;
  return `${of100 !== 0 && Math.abs(of100) < 9.95 ? of100.toFixed(1) : Math.round(of100)} %`;
}

/** @param {number} value */
export const decimal = (value) => (Math.abs(value) >= 100 ? whole.format(Math.round(value)) : value.toPrecision(3));

/** `now`, `5 min ago`, or a date. @param {number} t seconds since 1970 @param {number} now the same */
export function ago(t, now) {
  const seconds = now - t;
  if (seconds < 10) return "now";
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h ago`;
  const at = new Date(t * 1000);
  return (at.getFullYear() === new Date(now * 1000).getFullYear() ? day : date).format(at);
}

/** Below an axis of times, its ticks `step` seconds apart: 14:05:30, 14:05, or 27 Nov. @param {number} t seconds since 1970 @param {number} step */
export function tick(t, step) {
  const at = new Date(t * 1000);
  const isDay = step >= 86_400 || (at.getHours() === 0 && at.getMinutes() === 0 && at.getSeconds() === 0);
  return (isDay ? day : step < 60 ? second : minute).format(at);
}

/** @param {number} t seconds since 1970 */
export const moment = (t) => full.format(new Date(t * 1000));

/** Seconds of one day in words: 8 s, 3 min, 2 h, 4 days. @param {number} seconds */
export function span(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

/**
 * What a text may take of a line: control characters, which could turn a line around, are shown as a dot.
 * @param {unknown} text
 * @param {number} [most]
 */
export function clean(text, most = 200) {
  // C0 and C1 controls, the marks that change direction, and line and paragraph separators.
  const safe = String(text).replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, "·");
  const letters = [...safe];
  return letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : safe;
}

/** How a cluster is called in a sentence. @param {{id: number, name?: string | null, label?: string | null}} cluster */
export function called(cluster) {
  const name = cluster.name ?? cluster.label;
  return name ? `${cluster.id} “${clean(name, 60)}”` : String(cluster.id);
}
