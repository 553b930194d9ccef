/**
 * What lies over the points: known classes as dashed circles with their names, clusters as rings in their colours. Names
 * that would cover one another are left out: the cluster at hand first, then clusters by size, then classes.
 */

import { clusterColor, css, kindColor, themeName } from "../colors.js";
import { brief, clean } from "../format.js";
import { toScreen } from "./camera.js";

const LEAST_RADIUS = 7;

/**
 * @param {CanvasRenderingContext2D} context
 * @param {import("./camera.js").Camera} camera
 * @param {{width: number, height: number, ratio: number}} view
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
    labels.push({ text: clean(label, 22), x: sx, y: sy, r: 0, rank: 1, ink: css(kindColor("known")), weight: 600 });
  }
  context.setLineDash([]);

  const at = state.hovered ?? state.open ?? state.selected;
  for (const place of state.places.values()) {
    if (place.x === null) continue;
    const [sx, sy] = toScreen(camera, place.x, place.y, width, height);
    const r = Math.max(LEAST_RADIUS, place.radius * camera.scale);
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
    const cluster = state.clusters.get(place.id);
    const name = cluster?.label ?? cluster?.name;
    labels.push({
      text: name ? `${place.id} · ${clean(name, 22)}` : `${place.id} · ${brief(place.items)}`,
      x: sx,
      y: sy - r - 10,
      r,
      rank: isHere ? 1e12 : 2 + place.items,
      ink,
      weight: isHere ? 700 : 600,
    });
  }
  drawLabels(context, labels, paper, width, height);
}

/** @param {CanvasRenderingContext2D} context @param {any[]} labels @param {string} paper @param {number} width @param {number} height */
function drawLabels(context, labels, paper, width, height) {
  labels.sort((a, b) => b.rank - a.rank);
  context.textAlign = "center";
  context.textBaseline = "middle";
  /** @type {[number, number, number, number][]} */
  const taken = [];
  for (const label of labels) {
    context.font = `${label.weight} 12px system-ui, sans-serif`;
    const w = context.measureText(label.text).width + 10;
    const x = Math.min(width - w / 2 - 2, Math.max(w / 2 + 2, label.x));
    const y = Math.min(height - 10, Math.max(10, label.y));
    const box = /** @type {[number, number, number, number]} */ ([x - w / 2, y - 9, x + w / 2, y + 9]);
    if (taken.some((t) => t[0] < box[2] && box[0] < t[2] && t[1] < box[3] && box[1] < t[3])) continue;
    taken.push(box);
    context.fillStyle = paper;
    context.beginPath();
    context.roundRect(box[0], box[1], w, 18, 5);
    context.fill();
    context.fillStyle = label.ink;
    context.fillText(label.text, x, y + 0.5);
  }
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
