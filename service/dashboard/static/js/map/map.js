/**
 * The map: points on one canvas, marks on another, and a layer that takes pointer and keys. It is drawn when something
 * changed and not otherwise. Until somebody moves it, it keeps all in view; then it stays where it was put.
 */

import { byId, h, settle, setText } from "../dom.js";
import { called, clean, count } from "../format.js";
import { CLUSTER, clusterOf, KNOWN, nearestPoint, points } from "../points.js";
import { on, state, update } from "../store.js";
import { between, fit, pan, sees, toMap, zoom } from "./camera.js";
import { flatPainter } from "./flat.js";
import { glPainter } from "./gl.js";
import { drawMarks } from "./marks.js";

const GROW_S = 0.7;
const GLIDE_MS = 450;

/** @type {import("./camera.js").Camera} */
let camera = { cx: 0, cy: 0, scale: 40 };
/** @type {null | {from: import("./camera.js").Camera, to: import("./camera.js").Camera, since: number}} */
let glide = null;
let isMoved = false; // by a person
let isFitted = false;
let isDirty = false;
/** Until when what is new grows in: the last frame, milliseconds on the page's clock. */
let growsUntil = 0;
let width = 0;
let height = 0;
/** Frame times for tests: the milliseconds that drawing took, the newest 600. @type {number[]} */
export const drawnMs = [];

const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** @param {(id: number) => void} openCluster */
export function startMap(openCluster) {
  const box = byId("map");
  const under = byId("map-points");
  const over = byId("map-marks");
  const keys = byId("map-keys");
  const tip = byId("map-tip");
  const painter = new URLSearchParams(location.search).has("flat") ? flatPainter(under) : (glPainter(under) ?? flatPainter(under));
  const context = over.getContext("2d");

  function draw() {
    isDirty = false;
    const now = performance.now();
    const ratio = Math.min(devicePixelRatio, 2);
    const view = { width, height, ratio, now: now / 1000, focus: state.hovered ?? state.open ?? 0, grow: calm.matches ? 0 : GROW_S };
    if (width === 0) return;
    if (glide !== null) {
      const share = Math.min(1, (now - glide.since) / GLIDE_MS);
      camera = between(glide.from, glide.to, share);
      if (share === 1) glide = null;
    }
    for (const canvas of [under, over]) {
      if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
        canvas.width = Math.round(width * ratio);
        canvas.height = Math.round(height * ratio);
      }
    }
    painter.draw(camera, view);
    drawMarks(context, camera, view, state);
    drawnMs.push(performance.now() - now);
    if (drawnMs.length > 600) drawnMs.shift();
    if (glide !== null || now < growsUntil) ask();
  }

  function ask() {
    if (isDirty) return;
    isDirty = true;
    requestAnimationFrame(draw);
  }

  /** @param {import("./camera.js").Camera} to */
  function glideTo(to) {
    if (calm.matches || !isFitted) camera = to;
    else glide = { from: camera, to, since: performance.now() };
    ask();
  }

  function fitAll() {
    const all = extent();
    if (all === null || width === 0) return;
    glideTo(fit(all, width, height));
    isFitted = true;
  }

  new ResizeObserver(() => {
    width = box.clientWidth;
    height = box.clientHeight;
    if (!isMoved) {
      isFitted = false;
      fitAll();
    }
    ask();
  }).observe(box);

  on(["points", "places"], () => {
    growsUntil = 1000 * (GROW_S + Math.max(points.grown, ...[...state.places.values()].map((place) => place.born)));
    if (!isMoved) {
      const all = extent();
      if (all !== null && (!isFitted || (glide === null && !sees(camera, all, width, height)))) fitAll();
    }
    setText(byId("map-count"), points.count === 0 ? "" : `${count(points.count)} recent items`);
    ask();
  });
  on(["hovered", "open", "selected", "clusters", "theme"], ask);

  /** @param {number} by @param {number} [x] @param {number} [y] */
  function zoomBy(by, x = width / 2, y = height / 2) {
    isMoved = true;
    glide = null;
    camera = zoom(camera, by, x, y, width, height);
    ask();
  }

  function refit() {
    isMoved = false;
    fitAll();
  }

  byId("map-in").addEventListener("click", () => zoomBy(1.5));
  byId("map-out").addEventListener("click", () => zoomBy(1 / 1.5));
  byId("map-fit").addEventListener("click", refit);
  keys.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    /** @type {Record<string, () => void>} */
    const moves = {
      ArrowLeft: () => shift(60, 0),
      ArrowRight: () => shift(-60, 0),
      ArrowUp: () => shift(0, 60),
      ArrowDown: () => shift(0, -60),
      "+": () => zoomBy(1.3),
      "=": () => zoomBy(1.3),
      "-": () => zoomBy(1 / 1.3),
      0: refit,
    };
    const move = moves[event.key];
    if (move === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    move();
  });

  /** @param {number} dx @param {number} dy */
  function shift(dx, dy) {
    isMoved = true;
    glide = null;
    camera = pan(camera, dx, dy);
    ask();
  }

  // Pointers: one drags, two pinch, none pressed hovers, one released where it was pressed opens.
  /** @type {Map<number, {x: number, y: number}>} */
  const held = new Map();
  let travelled = 0;
  keys.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    keys.setPointerCapture(event.pointerId);
    held.set(event.pointerId, at(event));
    if (held.size === 1) travelled = 0;
  });
  keys.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    const now = at(event);
    const before = held.get(event.pointerId);
    if (before === undefined) {
      hover(now);
      return;
    }
    travelled += Math.hypot(now.x - before.x, now.y - before.y);
    if (held.size === 1) {
      if (travelled > 4) shift(now.x - before.x, now.y - before.y);
    } else if (held.size === 2) {
      const other = [...held.entries()].find(([id]) => id !== event.pointerId)?.[1];
      if (other !== undefined) {
        const was = Math.hypot(before.x - other.x, before.y - other.y);
        const is = Math.hypot(now.x - other.x, now.y - other.y);
        if (was > 0 && is > 0) zoomBy(is / was, (now.x + other.x) / 2, (now.y + other.y) / 2);
        shift((now.x - before.x) / 2, (now.y - before.y) / 2);
      }
    }
    held.set(event.pointerId, now);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    keys.addEventListener(end, (/** @type {PointerEvent} */ event) => {
      if (end === "pointerup" && held.size === 1 && travelled <= 4) {
        const { id } = lyingAt(at(event));
        if (id !== null) openCluster(id);
      }
      held.delete(event.pointerId);
    });
  }
  keys.addEventListener("pointerleave", () => {
    tip.hidden = true;
    if (state.hovered !== null) update({ hovered: null });
  });
  keys.addEventListener(
    "wheel",
    (/** @type {WheelEvent} */ event) => {
      event.preventDefault();
      const { x, y } = at(event);
      zoomBy(Math.exp(-Math.max(-100, Math.min(100, event.deltaY)) * 0.004), x, y);
    },
    { passive: false },
  );

  /** @param {MouseEvent} event */
  function at(event) {
    const corner = keys.getBoundingClientRect();
    return { x: event.clientX - corner.left, y: event.clientY - corner.top };
  }

  /** The smallest cluster whose ring is around a place, or that of the point there; and the point. @param {{x: number, y: number}} place */
  function lyingAt({ x, y }) {
    const [mx, my] = toMap(camera, x, y, width, height);
    let found = null;
    let least = Infinity;
    for (const one of state.places.values()) {
      if (one.x === null) continue;
      const reach = Math.max(one.radius, 9 / camera.scale);
      if (Math.hypot(one.x - mx, one.y - my) <= reach && reach < least) {
        least = reach;
        found = one.id;
      }
    }
    if (found !== null) return { id: found, point: -1 };
    const point = nearestPoint(mx, my, 7 / camera.scale);
    return { id: point >= 0 && points.kind[point] === CLUSTER ? clusterOf(point) : null, point };
  }

  /** @param {{x: number, y: number}} place */
  function hover(place) {
    const { id, point } = lyingAt(place);
    if (id !== state.hovered) update({ hovered: id });
    keys.classList.toggle("over", id !== null);
    const words = id !== null ? ofCluster(id) : point >= 0 ? ofPoint(point) : "";
    tip.hidden = words === "";
    if (words === "") return;
    setText(tip, words);
    tip.style.left = `${Math.min(width - 230, place.x + 14)}px`;
    tip.style.top = `${Math.min(height - 40, place.y + 14)}px`;
  }

  startTable();
}

/** @param {number} point */
function ofPoint(point) {
  const seq = `item ${count(points.seq[point])}`;
  return points.kind[point] === KNOWN ? `known class ${clean(state.labels[points.of[point]] ?? "?", 40)}, ${seq}` : `outlier, ${seq}`;
}

/** @param {number} id */
function ofCluster(id) {
  const cluster = state.clusters.get(id);
  return cluster === undefined ? `cluster ${id}` : `cluster ${called(cluster)}, ${count(cluster.items)} items, ${cluster.state}`;
}

/** All that is to be seen. @returns {import("./camera.js").Box | null} */
function extent() {
  const box = { x0: Infinity, y0: Infinity, x1: -Infinity, y1: -Infinity };
  /** @param {number} x @param {number} y @param {number} r */
  const add = (x, y, r) => {
    box.x0 = Math.min(box.x0, x - r);
    box.x1 = Math.max(box.x1, x + r);
    box.y0 = Math.min(box.y0, y - r);
    box.y1 = Math.max(box.y1, y + r);
  };
  for (const one of state.classes) if (one.x !== null) add(one.x, /** @type {number} */ (one.y), one.radius ?? 0);
  for (const one of state.places.values()) if (one.x !== null) add(one.x, one.y, one.radius);
  const [xs, ys] = [middle(0), middle(1)];
  if (xs !== null && ys !== null) {
    add(xs[0], ys[0], 0);
    add(xs[1], ys[1], 0);
  }
  return box.x0 === Infinity ? null : box;
}

/** Where all but the outermost hundredth of the points lie, of about 2000 of them. @param {0 | 1} axis */
function middle(axis) {
  if (points.count === 0) return null;
  const step = Math.max(1, Math.floor(points.count / 2000));
  const some = new Float32Array(Math.ceil(points.count / step));
  for (let k = 0; k < some.length; k++) some[k] = points.place[2 * k * step + axis];
  some.sort();
  return [some[Math.floor(some.length * 0.005)], some[Math.ceil(some.length * 0.995) - 1]];
}

/** The same in words, for who does not see it. */
function startTable() {
  const box = byId("map-table");
  const toggle = byId("map-table-toggle");
  toggle.addEventListener("click", () => {
    box.hidden = !box.hidden;
    toggle.setAttribute("aria-expanded", String(!box.hidden));
    fillTable();
  });
  function fillTable() {
    if (box.hidden) return;
    const rows = [
      ...state.classes.map((c) => [`class ${clean(c.label, 60)}`, "known", "", c.x, c.y]),
      ...[...state.places.values()].map((c) => [`cluster ${called(state.clusters.get(c.id) ?? c)}`, c.state, count(c.items), c.x, c.y]),
    ];
    settle(
      box,
      h(
        "table",
        {},
        h("caption", {}, "Where classes and clusters lie on the map"),
        h("thead", {}, h("tr", {}, ["What", "State", "Items", "x", "y"].map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, rows.map(([what, ...rest]) => h("tr", {}, h("th", { scope: "row" }, what), rest.map((v) => h("td", {}, typeof v === "number" ? v.toFixed(2) : (v ?? "")))))),
      ),
    );
  }
  on(["places"], fillTable);
}
