/**
 * The stream over time: known, cluster and outlier stacked, and a line where a cluster emerged or people decided
 * something. Drawn by uPlot; the table below has the same in words.
 */

import uPlot from "../vendor/uplot-1.6.32/uplot.js";

import { clusterColor, css, kindColor, themeName } from "./colors.js";
import { byId, h, replace, setText } from "./dom.js";
import { brief, clean, count, moment, percent } from "./format.js";
import { on, state } from "./store.js";

const HEIGHT = 150;
const MARKED = new Set(["emerged", "drifted", "promoted", "linked", "escalated"]);

/** @type {any} */
let chart = null;

export function startTimeline() {
  const box = byId("timeline");
  on(["timeline"], () => draw(box));
  on(["theme"], () => {
    chart?.destroy();
    chart = null;
    draw(box);
  });
  new ResizeObserver(() => {
    if (box.clientWidth > 0) chart?.setSize({ width: box.clientWidth, height: HEIGHT });
    if (chart === null) draw(box);
  }).observe(box);
  startTable();
}

/** @param {HTMLElement} box */
function draw(box) {
  const timeline = state.timeline;
  if (timeline !== null && timeline.bins.length === 0) setText(byId("timeline-note"), "nothing has come yet");
  if (timeline === null || timeline.bins.length === 0 || box.clientWidth === 0) return;
  const total = timeline.bins.reduce((/** @type {number} */ sum, /** @type {any} */ bin) => sum + bin.known + bin.cluster + bin.outlier, 0);
  const known = timeline.bins.reduce((/** @type {number} */ sum, /** @type {any} */ bin) => sum + bin.known, 0);
  setText(byId("timeline-note"), `${count(total)} items, ${percent(known / Math.max(1, total))} known`);
  const data = columns(timeline);
  if (chart === null) chart = new uPlot(options(box.clientWidth), data, box);
  else chart.setData(data);
}

/** Stacked: each series is its own share and those below it. @param {any} timeline */
function columns(timeline) {
  const byTime = timeline.by === "time";
  const bins = timeline.bins;
  const x = bins.map((/** @type {any} */ b) => (byTime ? b.from_t : b.from_seq));
  const known = bins.map((/** @type {any} */ b) => b.known);
  const cluster = bins.map((/** @type {any} */ b) => b.known + b.cluster);
  const all = bins.map((/** @type {any} */ b) => b.known + b.cluster + b.outlier);
  const last = bins.at(-1);
  x.push(byTime ? last.to_t : last.to_seq); // a step needs an end
  for (const column of [known, cluster, all]) column.push(column.at(-1));
  return [x, all, cluster, known];
}

/** @param {number} width @returns {any} */
function options(width) {
  const ink = themeName() === "dark" ? "#aab8c8" : "#4a5869";
  const grid = themeName() === "dark" ? "#253140" : "#e3e8ee";
  const font = "11px system-ui, sans-serif";
  const paths = uPlot.paths.stepped?.({ align: 1 });
  const byTime = state.timeline.by === "time";
  const axis = { stroke: ink, font, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } };
  /** @param {string} label @param {any} rgb @param {number} alpha */
  const series = (label, rgb, alpha) => ({ label, paths, fill: css(rgb, alpha), stroke: css(rgb), width: 1, points: { show: false } });
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { show: false } },
    scales: { x: { time: byTime }, y: { range: (/** @type {any} */ _u, /** @type {number} */ _low, /** @type {number} */ high) => [0, high * 1.12 || 1] } },
    axes: [
      { ...axis, size: 34, values: byTime ? undefined : (/** @type {any} */ _u, /** @type {number[]} */ at) => at.map(brief) },
      { ...axis, size: 44, values: (/** @type {any} */ _u, /** @type {number[]} */ at) => at.map(brief) },
    ],
    series: [
      {},
      series("outlier", kindColor("outlier"), 0.75),
      series("cluster", clusterColor(1), 0.75),
      series("known", themeName() === "dark" ? [70, 84, 102] : [186, 198, 212], 1),
    ],
    hooks: { draw: [drawEvents] },
  };
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
    replace(
      box,
      h("table", {}, h("caption", {}, "Items by verdict, the newest first"), h("thead", {}, h("tr", {}, ["Places", "From", "Known", "Cluster", "Outlier"].map((n) => h("th", { scope: "col" }, n)))), h("tbody", {}, [...state.timeline.bins].reverse().map(row))),
    );
  }
  on(["timeline"], fillTable);
}

/** @param {any} event */
function happened({ kind, other_id: other }) {
  if (other === null || other === undefined) return kind.replaceAll("_", " ");
  return kind === "split" ? `split from cluster ${other}` : `${kind} into cluster ${other}`;
}

/** The list below the chart. @param {(id: number) => void} openCluster */
export function startEvents(openCluster) {
  const list = byId("events");
  on(["events", "clusters"], () => {
    replace(
      list,
      state.events.slice(0, 60).map((event) => {
        const cluster = state.clusters.get(event.cluster_id);
        const name = cluster?.label ?? cluster?.name ?? event.name;
        return h(
          "li",
          {},
          h("span", { class: "when" }, count(event.seq)),
          h("button", { type: "button", class: "link", onclick: () => openCluster(event.cluster_id) }, name ? `${event.cluster_id} “${clean(name, 30)}”` : `cluster ${event.cluster_id}`),
          ` ${happened(event)}`,
        );
      }),
    );
    list.hidden = state.events.length === 0;
  });
}
