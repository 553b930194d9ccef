/**
 * Keeps the state fresh: asks each route at its own pace while the page is looked at, and `WS /watch` for events.
 *
 *   GET /map?after=cursor  1 s    what came since           GET /clusters        4 s, and soon after each event
 *   GET /timeline          2 s                              GET /health/classes  5 s
 *
 * A route that fails is asked again after twice as long, at most 30 s; one that is not there (404) is left out, with its
 * part of the page. Nothing is asked while the page is in the background, or while a key is needed and missing.
 */

import { AWAY, get, Problem } from "./api.js";
import { addPoints, clearPoints, setHeirs } from "./points.js";
import { state, touch, update } from "./store.js";

const SLOWEST_MS = 30_000;
const MOST_EVENTS = 200;
const CLOCK_MS = 10_000; // "5 min ago" is told anew

/** @type {Loop[]} */
const loops = [];

/** One route, asked again and again. */
class Loop {
  /** @param {string} name @param {number} everyMs @param {() => Promise<boolean | void>} ask true: ask again at once */
  constructor(name, everyMs, ask) {
    this.name = name;
    this.everyMs = everyMs;
    this.ask = ask;
    this.failures = 0;
    this.isRunning = false;
    /** @type {number | undefined} */
    this.timer = undefined;
  }

  /** Ask now, unless it is being asked. */
  async run() {
    clearTimeout(this.timer);
    if (this.isRunning || state.absent[this.name]) return;
    if (document.hidden || state.link === "locked") return; // `wake` goes on
    this.isRunning = true;
    let isMore = false;
    try {
      isMore = (await this.ask()) === true;
      this.failures = 0;
      state.asOf = Date.now() / 1000;
      if (state.trouble !== "") update({ trouble: "" });
    } catch (error) {
      this.failures += 1;
      this.note(error);
    } finally {
      this.isRunning = false;
    }
    const wait = isMore ? 0 : Math.min(SLOWEST_MS, this.everyMs * 2 ** Math.min(this.failures, 5));
    this.timer = setTimeout(() => this.run(), wait);
  }

  /** @param {unknown} error */
  note(error) {
    if (error instanceof Problem && error.status === 404 && error.type !== "/problems/unknown-stream") {
      state.absent[this.name] = true;
      touch("absent");
    } else if (!(error instanceof Problem && error.status === 401)) {
      update({ trouble: error instanceof Problem ? error.message : AWAY });
    }
  }
}

let cursor = "";
/** Route -> where the stream stood in its last answer: while it stands there, nothing is drawn. @type {Record<string, string>} */
const told = {};

/** @param {string} route @param {string | number} at */
function isNews(route, at) {
  const was = told[route];
  told[route] = String(at);
  return was !== told[route];
}

async function askMap() {
  const map = await get("/map", cursor === "" ? {} : { after: cursor });
  if (map.reset && cursor !== "") clearPoints();
  cursor = map.cursor;
  setHeirs(map.merged ?? {});
  addPoints(map.points, map.room);
  const isFirst = told.map === undefined;
  if (isNews("map", `${map.seq} ${map.cursor}`)) {
    const now = performance.now() / 1000;
    state.places = new Map(map.clusters.map((/** @type {any} */ place) => [place.id, { ...place, born: state.places.get(place.id)?.born ?? (isFirst ? -1e6 : now) }]));
    update({ classes: map.classes, labels: map.labels, seq: Math.max(state.seq, map.seq) });
    touch("places");
  }
  return map.more;
}

async function askClusters() {
  const answer = await get("/clusters");
  if (isNews("clusters", answer.seq)) {
    setClusters(answer.clusters);
    update({ seq: Math.max(state.seq, answer.seq), hasClusters: true });
  }
  if (state.shown !== "") update({ others: (await get("/clusters", { state: state.shown })).clusters });
}

/** @param {import("./store.js").Cluster[]} clusters */
export function setClusters(clusters) {
  state.clusters = new Map(clusters.map((cluster) => [cluster.id, cluster]));
  touch("clusters");
}

async function askTimeline() {
  const { span } = state;
  const timeline = await get("/timeline", span === 0 ? {} : { by: "time", from: Math.floor(Date.now() / 1000) - span });
  if (span !== state.span) return true; // another was chosen meanwhile
  if (!isNews("timeline", `${timeline.seq} ${span}`)) return false;
  update({ timeline });
  // Most are here already, by the socket; what came while that was cut is not.
  const known = new Set(state.events.map(keyOf));
  const missed = timeline.events.filter((/** @type {any} */ event) => !known.has(keyOf(event))).reverse();
  if (missed.length > 0) update({ events: [...missed, ...state.events].sort((a, b) => b.seq - a.seq).slice(0, MOST_EVENTS) });
}

async function askHealth() {
  const health = await get("/health/classes");
  if (isNews("health", health.seq)) update({ health: health.classes });
}

/** @param {any} event */
const keyOf = (event) => `${event.seq} ${event.kind} ${event.cluster_id}`;

/** @param {any} event as the timeline has it */
export function addEvent(event) {
  if (state.events.some((e) => keyOf(e) === keyOf(event))) return;
  state.events.unshift(event);
  state.events.length = Math.min(state.events.length, MOST_EVENTS);
  touch("events");
}

/** Ask these routes at once: after a decision or an event. @param {...string} names */
export function refresh(...names) {
  for (const loop of loops) if (names.length === 0 || names.includes(loop.name)) loop.run();
}

/** Begin. */
export async function start() {
  loops.push(
    new Loop("map", 1000, askMap),
    new Loop("clusters", 4000, askClusters),
    new Loop("timeline", 2000, askTimeline),
    new Loop("health", 5000, askHealth),
  );
  const info = new Loop("info", 60_000, async () => update({ info: await get("/info") }));
  loops.push(info);
  setInterval(() => touch("clock"), CLOCK_MS);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) refresh();
  });
  refresh();
}
