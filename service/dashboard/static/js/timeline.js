/**
 * The stream over time: known, cluster and outlier stacked, and a line where a cluster emerged or people decided
 * something. Drawn by uPlot; the table below has the same in words.
 */

import uPlot from "../vendor/uplot-1.6.32/uplot.js";

import { clusterColor, css, kindColor, themeName, thinned } from "./colors.js";
import { arrange, byId, h, replace, setText, settle } from "./dom.js";
import { refresh } from "./feed.js";
import { ago, brief, clean, count, moment, percent, tick } from "./format.js";
import { on, state, update } from "./store.js";

const MOST_SHOWN = 60;
const MARKED = new Set(["emerged", "drifted", "promoted", "linked", "escalated"]);

/** How far back, in seconds -> what it is called; 0 is the whole stream, in equal runs of items. @type {Record<number, string>} */
export const SPANS = { 0: "whole stream", 600: "10 minutes", 7200: "2 hours", 172800: "2 days", 5184000: "2 months" };

/** @type {any} */
let chart = null;

export function startTimeline() {
  const box = byId("timeline");
  const since = byId("since");
  replace(since, Object.entries(SPANS).map(([seconds, words]) => h("option", { value: seconds }, words)));
  since.addEventListener("change", () => {
    update({ span: Number(since.value) });
    refresh("timeline");
  });
  on(["timeline"], () => draw(box));
  on(["theme"], () => {
    forget();
    draw(box);
  });
  new ResizeObserver(() => {
    if (box.clientWidth > 0) chart?.setSize({ width: box.clientWidth, height: box.clientHeight });
    if (chart === null) draw(box);
  }).observe(box);
  startTable();
}

function forget() {
  chart?.destroy();
  chart = null;
}

/** @param {HTMLElement} box */
function draw(box) {
  const timeline = state.timeline;
  if (timeline === null || box.clientWidth === 0) return;
  if (timeline.bins.length === 0) {
    say(null);
    forget();
    return;
  }
  if (chart !== null && chart.by !== timeline.by) forget();
  const data = columns(timeline);
  if (chart === null) {
    chart = new uPlot(options(box.clientWidth, box.clientHeight), data, box);
    chart.by = timeline.by;
  } else chart.setData(data);
  point(chart);
}

/** What a bin has, or all of them. @param {any} pointed */
function say(pointed) {
  const bins = pointed === null ? state.timeline.bins : [pointed];
  const sum = (/** @type {string} */ kind) => bins.reduce((/** @type {number} */ n, /** @type {any} */ bin) => n + bin[kind], 0);
  const [known, cluster, outlier] = [sum("known"), sum("cluster"), sum("outlier")];
  const total = known + cluster + outlier;
  setText(byId("timeline-note"), total === 0 ? "nothing came" : `${count(total)} items${pointed === null ? "" : `, ${moment(pointed.from_t)}`}`);
  for (const [kind, n] of Object.entries({ known, cluster, outlier })) setText(byId(`share-${kind}`), total === 0 ? "" : pointed === null ? percent(n / total) : count(n));
}

/** Where a bin begins and ends on the axis. @param {any} bin */
const edges = (bin) => (state.timeline.by === "time" ? [bin.from_t, bin.to_t] : [bin.from_seq, bin.to_seq]);

/** Stacked: each series is its own share and those below it. Between bins that do not touch nothing came. @param {any} timeline */
function columns(timeline) {
  /** @type {number[][]} */
  const [x, all, cluster, known] = [[], [], [], []];
  /** @param {number} at @param {number} a @param {number} b @param {number} c */
  const put = (at, a, b, c) => {
    x.push(at);
    known.push(a);
    cluster.push(a + b);
    all.push(a + b + c);
  };
  let end = null;
  for (const bin of timeline.bins) {
    const [from, to] = edges(bin);
    if (end !== null && end < from) put(end, 0, 0, 0);
    put(from, bin.known, bin.cluster, bin.outlier);
    end = to;
  }
  if (end !== null) put(end, 0, 0, 0); // a step needs an end
  return [x, all, cluster, known];
}

/** @param {number} width @param {number} height @returns {any} */
function options(width, height) {
  const ink = themeName() === "dark" ? "#aab8c8" : "#4a5869";
  const grid = themeName() === "dark" ? "#253140" : "#e3e8ee";
  const font = "11px system-ui, sans-serif";
  const paths = uPlot.paths.stepped?.({ align: 1 });
  const byTime = state.timeline.by === "time";
  const axis = { stroke: ink, font, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } };
  /** Opaque: each is drawn over those behind it. @param {string} label @param {any} rgb @param {number} share */
  const series = (label, rgb, share) => ({ label, paths, fill: css(thinned(rgb, share)), stroke: css(rgb), width: 1, points: { show: false } });
  return {
    width,
    height,
    padding: [4, 20, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
    scales: { x: { time: byTime }, y: { range: (/** @type {any} */ _u, /** @type {number} */ _low, /** @type {number} */ high) => [0, high * 1.15 || 1] } },
    axes: [
      { ...axis, size: 30, values: (/** @type {any} */ _u, /** @type {number[]} */ at) => at.map((v) => (byTime ? tick(v, at[1] - at[0]) : brief(v))) },
      { ...axis, size: 44, space: 28, values: (/** @type {any} */ _u, /** @type {number[]} */ at) => at.map((n) => (Number.isInteger(n) ? brief(n) : "")) },
    ],
    series: [
      {},
      series("outlier", kindColor("outlier"), 0.75),
      series("cluster", clusterColor(1), 0.75),
      series("known", kindColor("known"), 0.45),
    ],
    hooks: { draw: [drawEvents], setCursor: [point] },
  };
}

/** Says what is under the pointer. @param {any} plot */
function point(plot) {
  const at = plot.cursor.left >= 0 ? plot.posToVal(plot.cursor.left, "x") : null;
  say(at === null ? null : (state.timeline.bins.find((/** @type {any} */ bin) => edges(bin)[0] <= at && at < edges(bin)[1]) ?? null));
}

/** @param {any} plot */
function drawEvents(plot) {
  const { ctx, bbox } = plot;
  const byTime = state.timeline.by === "time";
  ctx.save();
  ctx.font = `600 ${11 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = "center";
  let free = -Infinity;
  for (const event of state.timeline.events) {
    if (!MARKED.has(event.kind)) continue;
    const x = Math.round(plot.valToPos(byTime ? event.t : event.seq, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = css(clusterColor(event.cluster_id));
    ctx.fillStyle = ctx.strokeStyle;
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top + 14 * devicePixelRatio);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const text = String(event.cluster_id);
    const half = ctx.measureText(text).width / 2 + 3;
    if (x - half > free) {
      ctx.fillText(text, x, bbox.top + 10 * devicePixelRatio);
      free = x + half;
    }
  }
  ctx.restore();
}

function startTable() {
  const box = byId("timeline-table");
  const toggle = byId("timeline-table-toggle");
  toggle.addEventListener("click", () => {
    box.hidden = !box.hidden;
    toggle.setAttribute("aria-expanded", String(!box.hidden));
    fillTable();
  });
  function fillTable() {
    if (box.hidden || state.timeline === null) return;
    const row = (/** @type {any} */ b) =>
      h("tr", {}, h("th", { scope: "row" }, `${count(b.from_seq)} to ${count(b.to_seq - 1)}`), [moment(b.from_t), count(b.known), count(b.cluster), count(b.outlier)].map((v) => h("td", {}, v)));
    settle(
      box,
      h("table", {}, h("caption", {}, "Items by verdict, the newest first"), h("thead", {}, h("tr", {}, ["Places", "From", "Known", "Cluster", "Outlier"].map((n) => h("th", { scope: "col" }, n)))), h("tbody", {}, [...state.timeline.bins].reverse().map(row))),
    );
  }
  on(["timeline"], fillTable);
}

/** @param {any} event */
function happened({ kind, other_id: other }) {
  if (kind === "split") return `split from cluster ${other}`;
  if (kind === "merged") return `merged into cluster ${other}`;
  return { drifted: "is a drift of a known class", relabelled: "has older items that can be relabelled", undone: "a decision was undone" }[/** @type {"drifted"} */ (kind)] ?? kind;
}

/** The list beside the chart. */
export function startEvents() {
  const list = byId("events");
  /** @type {Map<string, HTMLElement>} */
  let rows = new Map();
  on(["events", "clusters", "clock"], () => {
    const now = Date.now() / 1000;
    /** @type {Map<string, HTMLElement>} */
    const next = new Map();
    for (const event of state.events.slice(0, MOST_SHOWN)) {
      const cluster = state.clusters.get(event.cluster_id);
      const name = cluster?.label ?? cluster?.name ?? event.name;
      const key = `${event.seq} ${event.kind} ${event.cluster_id}`;
      const row = rows.get(key) ?? h("li", {});
      settle(
        row,
        h("span", { class: "what" }, h("a", { href: `#/cluster/${event.cluster_id}` }, name ? `${event.cluster_id} · ${clean(name, 30)}` : `Cluster ${event.cluster_id}`), ` ${happened(event)}`),
        h("span", { class: "when", title: `${moment(event.t)}, item ${count(event.seq)}` }, ago(event.t, now)),
      );
      next.set(key, row);
    }
    rows = next;
    arrange(list, [...rows.values()]);
    list.hidden = rows.size === 0;
  });
}
