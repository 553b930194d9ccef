/**
 * The points of the map as columns, ready for the GPU: a ring of the newest 65,536.
 *
 * A point never moves once it is here. `place`, `color`, `born` and `group` are what is drawn; `kind` and `of` what it is.
 * When the ring is full the oldest point gives its place to the newest. Who draws takes the ranges that changed
 * (`takeDirty`), so a batch of 100 new points uploads 100 points.
 */

import { clusterColor, kindColor } from "./colors.js";
import { touch } from "./store.js";

export const CAPACITY = 65_536;
export const KNOWN = 0;
export const CLUSTER = 1;
export const OUTLIER = 2;

export const points = {
  /** how many there are */ count: 0,
  /** where the next one goes */ next: 0,
  /** seconds on the page's clock, when the newest was first drawn */ grown: -1e6,
  place: new Float32Array(2 * CAPACITY),
  color: new Uint8Array(4 * CAPACITY),
  /** seconds on the page's clock, when it was first drawn */ born: new Float32Array(CAPACITY),
  /** cluster id; 0 for the rest */ group: new Float32Array(CAPACITY),
  kind: new Uint8Array(CAPACITY),
  of: new Int32Array(CAPACITY),
  seq: new Float64Array(CAPACITY),
};

/** @type {[number, number][]} ranges that changed, behind their last excluded */
let dirty = [];
let most = CAPACITY;

/** Take the ranges that changed since the last time. */
export function takeDirty() {
  const taken = dirty;
  dirty = [];
  return taken;
}

export function clearPoints() {
  points.count = 0;
  points.next = 0;
  points.grown = -1e6;
  dirty = [];
  touch("points");
}

/**
 * @param {{seq: number[], x: number[], y: number[], kind: number[], of: number[]}} columns as GET /map has them
 * @param {number} room how many the service keeps
 */
export function addPoints(columns, room) {
  if (room > 0) most = Math.min(CAPACITY, room);
  const n = columns.seq.length;
  if (n === 0) return;
  // The first lot is history and is simply there; what comes later grows in.
  const now = points.count === 0 ? -1e6 : performance.now() / 1000;
  const from = points.next;
  for (let k = Math.max(0, n - most); k < n; k++) put(columns, k, now);
  if (n >= most) dirty.push([0, points.count]);
  else if (points.next > from) dirty.push([from, points.next]);
  else dirty.push([from, most], [0, points.next]);
  points.grown = now;
  touch("points");
}

/** @param {any} columns @param {number} k @param {number} now */
function put(columns, k, now) {
  const at = points.next;
  points.place[2 * at] = columns.x[k];
  points.place[2 * at + 1] = columns.y[k];
  points.kind[at] = columns.kind[k];
  points.of[at] = columns.of[k];
  points.seq[at] = columns.seq[k];
  points.born[at] = now;
  paint(at);
  points.next = (at + 1) % most;
  points.count = Math.max(points.count, at + 1);
}

/** All anew, as after a change of theme. */
export function repaint() {
  painted.clear();
  for (let at = 0; at < points.count; at++) paint(at);
  dirty = [[0, points.count]];
  touch("points");
}

/** @type {Map<number, number[]>} colours of kinds (0 and below) and clusters (by id) */
const painted = new Map();

/** Cluster -> the one that took it in: verdicts stay, but they are one cluster now. @type {Record<string, number>} */
let heirs = {};

/** @param {Record<string, number>} merged */
export function setHeirs(merged) {
  if (JSON.stringify(merged) === JSON.stringify(heirs)) return;
  heirs = merged;
  repaint();
}

/** The cluster that a point is of now. @param {number} at */
export const clusterOf = (at) => heirs[points.of[at]] ?? points.of[at];

/** @param {number} at */
function paint(at) {
  const key = points.kind[at] === CLUSTER ? clusterOf(at) : -points.kind[at];
  points.group[at] = Math.max(0, key);
  let rgba = painted.get(key);
  if (rgba === undefined) {
    if (key > 0) rgba = [...clusterColor(key), 235];
    else rgba = [...kindColor(key === 0 ? "known" : "outlier"), key === 0 ? 110 : 215];
    painted.set(key, rgba);
  }
  points.color.set(rgba, 4 * at);
}

/**
 * The point nearest to a place, within a distance; -1 for none.
 * @param {number} x
 * @param {number} y
 * @param {number} within
 */
export function nearestPoint(x, y, within) {
  let best = -1;
  let least = within * within;
  const { place, count } = points;
  for (let at = 0; at < count; at++) {
    const dx = place[2 * at] - x;
    const dy = place[2 * at + 1] - y;
    const d = dx * dx + dy * dy;
    if (d < least) {
      least = d;
      best = at;
    }
  }
  return best;
}
