/**
 * What a client sent, shown: numbers of an image as pixels, a text as text, a row as its columns. GET /info says which.
 * Nothing of it is ever markup, a link, or an address that a browser would go to.
 */

import { h } from "./dom.js";
import { clean } from "./format.js";
import { state } from "./store.js";

const MOST_CHARACTERS = 600;

/** Small, for a row of the list. @param {import("./evidence.js").Exemplar} exemplar @returns {Node | null} */
export function thumbnail({ payload, picture }) {
  const kind = state.info?.input?.kind;
  if (picture) return png(picture, "", true);
  if (payload === null || payload === undefined) return null;
  if (kind === "image" || kind === "vector") return drawn(payload, 24);
  if (kind === "text") return h("q", { class: "thumb-text" }, clean(payload, 40));
  return null;
}

/** As large as there is room. @param {import("./evidence.js").Exemplar} exemplar @returns {Node} */
export function shown({ id, payload, picture }) {
  if (picture) return png(picture, `Item ${clean(id, 40)}`);
  if (payload === null || payload === undefined) return h("p", { class: "note" }, "Not kept.");
  const kind = state.info?.input?.kind;
  if (kind === "image" || kind === "vector") return drawn(payload, 72) ?? plain(payload);
  if (kind === "text") return h("blockquote", {}, clean(payload, MOST_CHARACTERS));
  if (kind === "table") return row(payload);
  return plain(payload);
}

/**
 * A picture that the service made. An <img> runs nothing; its bytes are a blob of this page, so no address is asked.
 * @param {string} base64 of a PNG @param {string} words what it is @param {boolean} [isSmall]
 */
export function png(base64, words, isSmall = false) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const url = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
  const done = () => URL.revokeObjectURL(url);
  return h("img", { src: url, alt: words, class: isSmall ? "picture small" : "picture", onload: done, onerror: done });
}

/** @param {any} payload */
function plain(payload) {
  return h("pre", {}, clean(typeof payload === "string" ? payload : JSON.stringify(payload), MOST_CHARACTERS));
}

/** @param {any} payload an object of columns, or their list */
function row(payload) {
  const names = (state.info?.input?.columns ?? []).map((/** @type {any} */ c) => c.name);
  const cells = Array.isArray(payload) ? payload.map((v, k) => [names[k] ?? String(k), v]) : Object.entries(payload);
  return h("dl", { class: "cells" }, cells.slice(0, 40).map(([name, value]) => h("div", {}, h("dt", {}, clean(name, 40)), " ", h("dd", {}, clean(value ?? "missing", 60)))));
}

/**
 * Numbers as pixels; a vector becomes a row of bars.
 * @param {any} payload nested or flat numbers @param {number} size pixels on the screen
 * @returns {HTMLCanvasElement | null}
 */
export function drawn(payload, size) {
  const values = Array.isArray(payload) ? payload.flat(4) : null;
  const input = state.info?.input;
  if (values === null || values.length === 0 || !values.every((v) => typeof v === "number")) return null;
  const low = input?.minimum ?? Math.min(...values);
  const high = input?.maximum ?? Math.max(...values);
  const grey = values.map((v) => Math.round((255 * (v - low)) / Math.max(1e-9, high - low)));
  const shape = input?.kind === "image" ? input.shape : null;
  return shape !== null && shape.length === 3 ? pixels(grey, shape, size) : bars(grey, size);
}

/** @param {number[]} grey @param {number[]} shape channels, rows, columns @param {number} size */
function pixels(grey, [channels, rows, columns], size) {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  canvas.className = size > 32 ? "picture" : "picture small";
  const context = canvas.getContext("2d");
  if (context === null) return canvas;
  const image = context.createImageData(columns, rows);
  const plane = rows * columns;
  for (let k = 0; k < plane; k++) {
    const [r, g, b] = channels >= 3 ? [grey[k], grey[plane + k], grey[2 * plane + k]] : [grey[k], grey[k], grey[k]];
    image.data.set([r, g, b, 255], 4 * k);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** @param {number[]} grey @param {number} size */
function bars(grey, size) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.min(grey.length, 256) * 2;
  canvas.height = 48;
  canvas.className = size > 32 ? "picture wide" : "picture small";
  const context = canvas.getContext("2d");
  if (context === null) return canvas;
  context.fillStyle = "#7a8ca0";
  grey.slice(0, 256).forEach((v, k) => context.fillRect(2 * k, 48 - (v / 255) * 48, 1.5, (v / 255) * 48));
  return canvas;
}
