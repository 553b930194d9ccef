/**
 * What lies over the points: known classes as dashed circles with their names, clusters as rings in their colours. Names
 * that would cover one another, or the middle of a ring, are put elsewhere about their own, or left out: the cluster at
 * hand first, then classes, which everything else is told by, then clusters with a name, then those with most items.
 */

import { clusterColor, css, kindColor, themeName } from "../colors.js";
import { brief, clean } from "../format.js";
import { toScreen } from "./camera.js";

const LEAST_RADIUS = 7;
const WIDEST = 150;

/**
 * @param {CanvasRenderingContext2D} context
 * @param {import("./camera.js").Camera} camera
 * @param {{width: number, height: number, ratio: number, now: number, grow: number}} view
 * @param {typeof import("../store.js").state} state
 */
export function drawMarks(context, camera, view, state) {
  const { width, height } = view;
  context.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const isDark = themeName() === "dark";
  const ink = isDark ? "#e6edf5" : "#172230";
  const paper = isDark ? "rgb(15 20 27 / .78)" : "rgb(255 255 255 / .82)";
  const labels = [];
  /** @type {[number, number, number, number][]} the middles of rings */
  const rings = [];

  context.setLineDash([4, 4]);
  context.lineWidth = 1.25;
  for (const { label, x, y, radius } of state.classes) {
    if (x === null || y === null || radius === null) continue; // promoted, and none of its items is kept
    const [sx, sy] = toScreen(camera, x, y, width, height);
    const r = Math.max(LEAST_RADIUS, radius * camera.scale);
    if (!isSeen(sx, sy, r, width, height)) continue;
    circle(context, sx, sy, r);
    context.strokeStyle = css(kindColor("known"), 0.9);
    context.stroke();
    labels.push({ text: clean(label, 22), x: sx, y: sy, r: null, rank: 1e11, ink: css(kindColor("known")), weight: 600 });
  }
  context.setLineDash([]);

  const at = state.hovered ?? state.open ?? state.selected;
  for (const place of state.places.values()) {
    if (place.x === null) continue;
    const [sx, sy] = toScreen(camera, place.x, place.y, width, height);
    const age = view.grow > 0 ? Math.max(0, Math.min(1, (view.now - place.born) / view.grow)) : 1;
    const r = Math.max(LEAST_RADIUS, place.radius * camera.scale) * age ** 0.5;
    if (!isSeen(sx, sy, r, width, height)) continue;
    const color = clusterColor(place.id);
    const isHere = place.id === at;
    circle(context, sx, sy, r);
    context.fillStyle = css(color, isHere ? 0.2 : 0.09);
    context.fill();
    context.lineWidth = 4.5; // a rim of paper, so that the ring is seen on its own points
    context.strokeStyle = paper;
    context.stroke();
    context.lineWidth = isHere ? 3 : place.state === "established" ? 2 : 1.4;
    context.strokeStyle = css(color, place.state === "fading" ? 0.55 : 1);
    context.stroke();
    rings.push([sx - 4, sy - 4, sx + 4, sy + 4]);
    const cluster = state.clusters.get(place.id);
    const name = cluster?.label ?? cluster?.name;
    labels.push({
      text: name ? `${place.id} · ${clean(name, 22)}` : `${place.id} · ${brief(place.items)}`,
      x: sx,
      y: sy,
      r,
      rank: isHere ? 1e12 : place.items + (name ? 1e10 : 0),
      ink,
      weight: isHere ? 700 : 600,
    });
  }
  drawLabels(context, labels, rings, paper, width, height);
}

/**
 * @param {CanvasRenderingContext2D} context @param {any[]} labels @param {[number, number, number, number][]} rings
 * @param {string} paper @param {number} width @param {number} height
 */
function drawLabels(context, labels, rings, paper, width, height) {
  labels.sort((a, b) => b.rank - a.rank);
  context.textAlign = "center";
  context.textBaseline = "middle";
  /** @type {[number, number, number, number][]} */
  const taken = [];
  for (const label of labels) {
    context.font = `${label.weight} 12px system-ui, sans-serif`;
    const { text, w } = fitted(context, label.text, label.weight);
    const [side, over] = label.r === null ? [0, 0] : [label.r + w / 2 + 2, label.r + 10];
    const about = label.r === null ? [[0, 0]] : [[0, -over], [0, over], [side, 0], [-side, 0]];
    for (const [dx, dy] of about) {
      const x = Math.min(width - w / 2 - 2, Math.max(w / 2 + 2, label.x + dx));
      const y = Math.min(height - 10, Math.max(10, label.y + dy));
      const box = /** @type {[number, number, number, number]} */ ([x - w / 2, y - 9, x + w / 2, y + 9]);
      if (taken.some((t) => meet(t, box)) || (label.r !== null && label.rank < 1e12 && rings.some((t) => meet(t, box)))) continue;
      taken.push(box);
      context.fillStyle = paper;
      context.beginPath();
      context.roundRect(box[0], box[1], w, 18, 5);
      context.fill();
      context.fillStyle = label.ink;
      context.fillText(text, x, y + 0.5);
      break;
    }
  }
}

/** @param {[number, number, number, number]} a @param {[number, number, number, number]} b */
const meet = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

/** What was measured, since every frame asks for the same; at most 2000. @type {Map<string, {text: string, w: number}>} */
const measured = new Map();

/** As much of a text as is no wider than a name may be, and how wide its box is. @param {CanvasRenderingContext2D} context @param {string} name @param {number} weight */
function fitted(context, name, weight) {
  const key = `${weight} ${name}`;
  let found = measured.get(key);
  if (found === undefined) {
    const characters = [...name.replace(/…$/, "")];
    let text = name;
    while (characters.length > 1 && context.measureText(text).width > WIDEST) {
      characters.pop();
      text = `${characters.join("")}…`;
    }
    found = { text, w: context.measureText(text).width + 10 };
    if (measured.size >= 2000) measured.clear();
    measured.set(key, found);
  }
  return found;
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {number} r */
function circle(context, x, y, r) {
  context.beginPath();
  context.arc(x, y, r, 0, 2 * Math.PI);
}

/** @param {number} x @param {number} y @param {number} r @param {number} width @param {number} height */
function isSeen(x, y, r, width, height) {
  return x + r > 0 && y + r > 0 && x - r < width && y - r < height;
}
