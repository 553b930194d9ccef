/**
 * The clusters, by state: what wants a decision first. A row is a link, so the browser's own focus is the selection; j
 * and k move it (keyboard.js). Rows are kept and changed in place: 200 clusters that grow cost no rebuilding.
 */

import { clusterColor, css } from "./colors.js";
import { arrange, byId, h, replace, setText } from "./dom.js";
import { exemplarsOf, sizeOf } from "./evidence.js";
import { ago, clean, count } from "./format.js";
import { thumbnail } from "./payload.js";
import { sparkline } from "./spark.js";
import { on, state, update } from "./store.js";

/** @typedef {import("./store.js").Cluster} Cluster */

/** Group -> what it is called, in order. */
const GROUPS = /** @type {const} */ ({
  emerging: "Emerging",
  established: "Established",
  fading: "Fading",
  variant: "Drifts of a known class",
  decided: "Part of a known class",
  dismissed: "Dismissed",
  candidate: "Candidates",
  gone: "Gone",
});

/** Those whose heading does not say it all. */
const CHIPPED = new Set(["variant", "decided"]);

/** @param {Cluster} cluster @returns {keyof typeof GROUPS} */
export function groupOf(cluster) {
  if (cluster.state === "gone" || cluster.state === "candidate") return cluster.state;
  if (cluster.dismissed) return "dismissed";
  if (cluster.label) return "decided";
  return /** @type {keyof typeof GROUPS} */ (cluster.state in GROUPS ? cluster.state : "emerging");
}

/** Whether nobody has said yet what it is. @param {Cluster} cluster */
export const wantsDecision = (cluster) => !cluster.name && ["emerging", "established", "variant"].includes(groupOf(cluster));

/** Whether a cluster is what was searched for: id, name, label, state, class nearby, exemplars' ids. @param {Cluster} cluster @param {string} query */
export function isFound(cluster, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const text = [cluster.id, `#${cluster.id}`, cluster.name, cluster.label, cluster.state, cluster.nearest, cluster.variant_of, ...cluster.exemplars].join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
}

/** Those shown, in the order of the list. @returns {Cluster[]} */
export function listed() {
  const all = state.shown === "" ? [...state.clusters.values()] : (state.others ?? []);
  const order = Object.keys(GROUPS);
  return all
    .filter((cluster) => isFound(cluster, state.query))
    .sort((a, b) => order.indexOf(groupOf(a)) - order.indexOf(groupOf(b)) || b.id - a.id);
}

/** @type {Map<number, Row>} */
const rows = new Map();
/** @type {IntersectionObserver} */
let seen;

export function startList() {
  const list = byId("list");
  seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) rows.get(Number(/** @type {HTMLElement} */ (entry.target).dataset.id))?.fillExemplars();
  }, { root: null, rootMargin: "200px" });
  on(["clusters", "others", "query", "shown", "places", "selected", "open", "theme", "hasClusters", "link", "clock"], () => draw(list));
}

/** @param {HTMLElement} list */
function draw(list) {
  const clusters = listed();
  const kept = new Set(clusters.map((c) => c.id));
  for (const [id, row] of rows) {
    if (!kept.has(id)) {
      seen.unobserve(row.element);
      rows.delete(id);
    }
  }
  /** @type {HTMLElement[]} */
  const wanted = [];
  let group = "";
  for (const cluster of clusters) {
    const its = groupOf(cluster);
    if (its !== group) {
      group = its;
      wanted.push(heading(its, clusters.filter((c) => groupOf(c) === its).length));
    }
    let row = rows.get(cluster.id);
    if (row === undefined) {
      row = new Row(cluster.id);
      rows.set(cluster.id, row);
      seen.observe(row.element);
    }
    row.draw(cluster);
    wanted.push(row.element);
  }
  if (clusters.length === 0) wanted.push(h("p", { class: "note pad" }, nothing()));
  arrange(list, wanted);
  const all = state.shown === "" ? state.clusters.size : (state.others?.length ?? 0);
  const open = clusters.filter(wantsDecision).length;
  setText(byId("clusters-note"), state.query !== "" ? `${count(clusters.length)} of ${count(all)}` : open === 0 ? count(all) : `${count(all)}, ${count(open)} to decide`);
}

/** @type {Map<string, HTMLElement>} */
const headings = new Map();

/** @param {keyof typeof GROUPS} group @param {number} n */
function heading(group, n) {
  let element = headings.get(group);
  if (element === undefined) {
    element = h("h3", { class: "group" });
    headings.set(group, element);
  }
  setText(element, `${GROUPS[group]} · ${n}`);
  return element;
}

function nothing() {
  if (state.query !== "") return `No cluster is found by “${clean(state.query, 40)}”.`;
  if (!state.hasClusters) return "Asking ...";
  return state.shown === "" ? "None yet. When items of a new kind gather, their cluster is here." : `No ${state.shown} clusters.`;
}

/** One cluster in the list. */
class Row {
  /** @param {number} id */
  constructor(id) {
    this.id = id;
    this.swatch = h("span", { class: "swatch", "aria-hidden": "true" });
    this.title = h("span", { class: "title" });
    this.chip = h("span", { class: "chip" });
    this.facts = h("span", { class: "facts" });
    this.spark = h("span", { class: "spark", "aria-hidden": "true" });
    this.thumbs = h("span", { class: "thumbs", "aria-hidden": "true" });
    this.element = h(
      "a",
      { class: "row", href: `#/cluster/${id}`, "data-id": id, onfocus: () => state.selected !== id && update({ selected: id }) },
      this.swatch,
      h("span", { class: "words" }, h("span", { class: "head" }, this.title, this.chip), this.facts),
      this.thumbs,
      this.spark,
    );
    this.sparkOf = "";
    this.thumbsOf = -1; // the size that they were asked for at
    this.isSeen = false;
  }

  /** @param {Cluster} cluster */
  draw(cluster) {
    const name = cluster.label ?? cluster.name;
    const color = css(clusterColor(cluster.id));
    if (this.swatch.style.backgroundColor !== color) this.swatch.style.backgroundColor = color;
    setText(this.title, name ? `${cluster.id} · ${clean(name, 60)}` : `Cluster ${cluster.id}`);
    const group = groupOf(cluster);
    this.chip.hidden = !CHIPPED.has(group);
    setText(this.chip, chipOf(cluster));
    this.chip.dataset.state = group;
    setText(this.facts, factsOf(cluster));
    this.element.classList.toggle("selected", state.selected === cluster.id);
    if (state.open === cluster.id) this.element.setAttribute("aria-current", "true");
    else this.element.removeAttribute("aria-current");
    const counts = /** @type {any} */ (state.places.get(cluster.id))?.sparkline ?? [];
    const key = `${color}${counts.join()}`;
    if (key !== this.sparkOf) {
      this.sparkOf = key;
      replace(this.spark, counts.length > 1 ? sparkline(counts, color) : null);
    }
    if (this.isSeen) this.fillExemplars();
  }

  /** Pictures or words of its exemplars, asked for when the row is first seen and when it has grown by half. */
  async fillExemplars() {
    this.isSeen = true;
    const cluster = state.clusters.get(this.id);
    if (cluster === undefined) return;
    const size = sizeOf(cluster);
    if (size === this.thumbsOf) return;
    this.thumbsOf = size;
    const found = await exemplarsOf(cluster);
    if (found.length === 0) this.thumbsOf = -1; // none yet
    replace(this.thumbs, found.slice(0, 3).map(thumbnail));
  }
}

/** Where it stands, in a word or two. @param {Cluster} cluster */
export function chipOf(cluster) {
  if (cluster.dismissed) return "dismissed";
  if (cluster.label) return `is ${clean(cluster.label, 20)}`;
  return cluster.state === "variant" ? `drift of ${clean(cluster.variant_of ?? "?", 20)}` : cluster.state;
}

/** @param {Cluster} cluster */
function factsOf(cluster) {
  const near = cluster.nearest === null ? "" : ` · near ${clean(cluster.nearest, 24)}`;
  return `${count(cluster.items)} items${near} · ${ago(cluster.last_t, Date.now() / 1000)}`;
}
