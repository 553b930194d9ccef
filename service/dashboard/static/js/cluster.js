/**
 * The page of one cluster: what it is, why it was announced, what it is made of, what was decided about it. It takes the
 * place of the list; the map stays beside it, with the cluster in focus.
 */

import { get } from "./api.js";
import { clusterColor, css } from "./colors.js";
import { byId, h, replace, setText, settle } from "./dom.js";
import { evidenceOf, groupsOf } from "./evidence.js";
import { ago, called, clean, count, decimal, moment, percent, span } from "./format.js";
import { signsOf } from "./signs.js";
import { chipOf, groupOf } from "./list.js";
import { shown } from "./payload.js";
import { sparkline } from "./spark.js";
import { on, state } from "./store.js";
import { ACTIONS, decide, undo } from "./triage.js";

/** How old what is shown may be. */
const FRESH_MS = 20_000;

/** The parts that change, of the page that is open. @type {null | {id: number, parts: Record<string, HTMLElement>, evidence: any, decided: string}} */
let page = null;

/** @param {() => void} close */
export function startCluster(close) {
  const view = byId("cluster-view");
  on(["open", "clusters", "others", "places", "done", "theme", "absent", "events", "clock"], () => {
    view.hidden = state.open === null;
    byId("list-view").hidden = state.open !== null;
    if (state.open === null) {
      page = null;
      return;
    }
    if (page?.id !== state.open) build(view, state.open, close);
    draw();
  });
}

/** @param {HTMLElement} view @param {number} id @param {() => void} close */
function build(view, id, close) {
  const parts = Object.fromEntries(["title", "chip", "facts", "verdict", "reason", "spark", "why", "budget", "lineage", "signs", "exemplars", "decisions"].map((name) => [name, h("div", {})]));
  parts.title = h("h2", { id: "cluster-title", tabindex: "-1" });
  parts.chip = h("span", { class: "chip" });
  parts.buttons = h(
    "div",
    { class: "actions", role: "group", "aria-label": "Decide" },
    Object.entries(ACTIONS).map(([key, { action, label, hint }]) =>
      h("button", { type: "button", "data-action": action, title: hint, "aria-keyshortcuts": key, class: action === "promote" ? "main" : null, onclick: () => decide(action, id) }, label, h("kbd", { "aria-hidden": "true" }, key)),
    ),
  );
  replace(
    view,
    h("header", {}, h("button", { type: "button", class: "back", onclick: close, "aria-keyshortcuts": "Escape" }, "‹ All clusters"), h("div", { class: "heading" }, parts.title, parts.chip)),
    parts.buttons,
    parts.verdict,
    parts.reason,
    parts.spark,
    parts.exemplars,
    parts.signs,
    parts.facts,
    parts.lineage,
    parts.why,
    parts.budget,
    parts.decisions,
  );
  page = { id, parts, evidence: undefined, decided: "" };
  view.scrollTop = 0;
}

async function draw() {
  if (page === null) return;
  const { id, parts } = page;
  const cluster = state.clusters.get(id) ?? state.others?.find((c) => c.id === id) ?? (await fetched(id));
  if (page?.id !== id) return; // another was opened meanwhile
  if (cluster === null) {
    setText(parts.title, `There is no cluster ${id}`);
    return;
  }
  const name = cluster.label ?? cluster.name;
  setText(parts.title, name ? `Cluster ${id}: ${clean(name, 100)}` : `Cluster ${id}`);
  setText(parts.chip, chipOf(cluster));
  parts.chip.dataset.state = groupOf(cluster);
  for (const button of parts.buttons.querySelectorAll("button")) button.toggleAttribute("disabled", Boolean(state.absent.curation));
  parts.buttons.querySelector("[data-action=promote]")?.classList.toggle("main", !cluster.label);
  settle(parts.verdict, h("p", { class: "verdict" }, verdictOf(cluster)));
  drawSpark(cluster);
  drawFacts(cluster);
  drawWhy(cluster);
  drawEvidence(cluster);
  // Decided here, or by others.
  const decided = JSON.stringify([state.done.length, cluster.name, cluster.label, cluster.dismissed, state.events.find((event) => event.cluster_id === id)?.seq]);
  if (page.decided !== decided) {
    page.decided = decided;
    drawDecisions(id);
  }
}

/** @type {Map<number, Promise<any>>} */
const others = new Map();

/** One that is in no list: a candidate, or gone. @param {number} id */
function fetched(id) {
  const forget = () => (others.delete(id), null); // asked again: it may have been the key, or the service, that was missing
  if (!others.has(id)) others.set(id, get(`/clusters/${id}`).catch(forget));
  if (others.size > 50) others.delete(/** @type {number} */ (others.keys().next().value));
  return /** @type {Promise<any>} */ (others.get(id));
}

/** @param {any} cluster */
function verdictOf(cluster) {
  if (cluster.merged_into !== null) return `It went into cluster ${cluster.merged_into}.`;
  if (cluster.label) return `Part of the known class “${clean(cluster.label, 60)}”: its items get that verdict.`;
  if (cluster.variant_of !== null) return `A drift of class ${clean(cluster.variant_of, 60)}, not a class of its own: where that class used to be, items are missing.`;
  return "New: no known class explains it.";
}

/** @param {any} cluster */
function drawSpark(cluster) {
  const counts = /** @type {any} */ (state.places.get(cluster.id))?.sparkline ?? [];
  if (page === null) return;
  settle(
    page.parts.spark,
    counts.length < 2
      ? null
      : h("figure", { class: "wide-spark" }, sparkline(counts, css(clusterColor(cluster.id)), 320, 44), h("figcaption", {}, `Items over the recent stream; the most at once: ${count(Math.max(...counts))}`)),
  );
}

/** @param {any} cluster */
function drawFacts(cluster) {
  const now = Date.now() / 1000;
  const lasted = Math.max(0, cluster.last_t - cluster.first_t);
  /** @type {[string, any][]} */
  const facts = [
    ["Items", count(cluster.items)],
    ["First seen", `${moment(cluster.first_t)}, item ${count(cluster.born_seq)}`],
    ["Announced", cluster.emerged_seq === null ? "not yet" : `at item ${count(cluster.emerged_seq)}, with ${count(cluster.items_to_emerge ?? 0)} items of its own`],
    ["Last seen", ago(cluster.last_t, now)],
    ["Rate", lasted > 1 ? `${decimal(cluster.items / lasted)} items a second, over ${span(lasted)}` : "too short to tell"],
    ["Nearest known class", cluster.nearest === null ? null : `${clean(cluster.nearest, 60)}, ${decimal(cluster.nearest_distance)} times the usual radius of a class away`],
    ["Came from", cluster.parent_id === null ? null : link(cluster.parent_id)],
    ["Went into", cluster.merged_into === null ? null : link(cluster.merged_into)],
  ];
  settle(/** @type {any} */ (page).parts.facts, h("h3", {}, "Facts"), h("dl", { class: "facts-list" }, facts.filter(([, value]) => value !== null).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
}

/** @param {number} id */
const link = (id) => h("a", { href: `#/cluster/${id}` }, `cluster ${id}`);

/** @param {any} cluster */
function drawWhy(cluster) {
  const e = cluster.evidence;
  if (e === null || e === undefined) return;
  const share = e.log10_threshold > 0 ? Math.max(0, Math.min(1, e.log10_e / e.log10_threshold)) : 1;
  /** @param {[number, number] | null} usual */
  const beside = (usual) => (usual === null ? "" : ` (known classes: ${decimal(usual[0])} to ${decimal(usual[1])})`);
  settle(
    /** @type {any} */ (page).parts.why,
    h("h3", {}, cluster.emerged_seq === null ? "Evidence so far" : "Why it was announced"),
    h("p", {}, `${count(e.hits)} of ${count(e.trials)} items fell here; known classes would put at most ${percent(e.p0)} here.`),
    h("div", { class: "meter" }, h("meter", { min: 0, max: 1, value: share.toFixed(3), "aria-label": "Evidence against chance" }), h("span", {}, `e-value 10^${e.log10_e.toFixed(1)}; 10^${e.log10_threshold.toFixed(1)} was needed, for the false-alarm rate that was asked for`)),
    h(
      "dl",
      { class: "facts-list" },
      e.cohesion === null ? null : [h("dt", {}, "Spread"), h("dd", {}, `${decimal(e.cohesion)}${beside(e.usual_cohesion)}`)],
      e.separation === null ? null : [h("dt", {}, "Distance to known"), h("dd", {}, `${decimal(e.separation)}${beside(e.usual_separation)}`)],
      e.unexplained === null ? null : [h("dt", {}, "Unexplained share"), h("dd", {}, percent(e.unexplained))],
      e.repeats > 0 ? [h("dt", {}, "The same over again"), h("dd", {}, `${count(e.repeats)}, not counted`)] : null,
    ),
  );
}

/** @param {import("./store.js").Cluster} cluster */
async function drawEvidence(cluster) {
  const { id } = cluster;
  const found = await evidenceOf(cluster, FRESH_MS);
  if (page?.id !== id || page.evidence === found) return;
  page.evidence = found;
  const { parts } = page;
  const { exemplars, signs } = parts;
  if (found === null) {
    const ids = state.clusters.get(id)?.exemplars ?? [];
    replace(exemplars, ids.length === 0 ? null : [h("h3", {}, "Latest items"), h("ul", { class: "ids" }, ids.map((one) => h("li", {}, clean(one, 60))))]);
    replace(signs);
    return;
  }
  replace(
    exemplars,
    h("h3", {}, "Exemplars"),
    h("div", { class: "groups" }, groupsOf(found).map((group) => h("section", { class: "exemplars" }, h("h4", {}, group.title), h("ul", {}, group.exemplars.map((one) => h("li", {}, shown(one), h("span", { class: "id" }, clean(one.id, 40)))))))),
  );
  replace(signs, signsOf(found, () => decide("name", id)));
  settle(parts.reason, h("p", { class: "note" }, clean(found.verdict.reason, 400)));
  settle(
    parts.budget,
    h("p", { class: "note" }, `False alarms: of the budget of ${percent(found.budget.alpha)}, testing this cluster may have cost ${percent(found.budget.own)}, all ${count(found.budget.tested)} so far ${percent(found.budget.spent)}.`),
  );
  const { children, took_in: tookIn } = found.lineage;
  settle(
    parts.lineage,
    children.length === 0 ? null : h("p", {}, "Split from it: ", children.map((/** @type {number} */ one) => [link(one), " "])),
    tookIn.length === 0 ? null : h("p", {}, "It took in: ", tookIn.map((/** @type {number} */ one) => [link(one), " "])),
    h("p", {}, `Of late ${decimal(found.rate)} of 1,000 items are its own${found.growth === null ? "" : `, ${decimal(found.growth)} times as many as before`}.`),
  );
}

/** @param {number} id */
async function drawDecisions(id) {
  if (state.absent.decisions || page === null) return;
  let made = [];
  try {
    made = (await get("/decisions", { cluster: id, limit: 50 })).decisions;
  } catch {
    return; // of an older service; the page does without
  }
  if (page?.id !== id) return;
  settle(
    page.parts.decisions,
    made.length === 0 ? null : h("h3", {}, "Decisions"),
    h(
      "ul",
      { class: "decisions" },
      made.map((/** @type {any} */ one) => {
        const what = sentenceOf(one);
        const stands = one.undone_by === null && one.action !== "undo";
        return h(
          "li",
          { class: one.undone_by === null ? null : "undone" },
          h("p", {}, what, one.undone_by === null ? null : " (undone)"),
          h("p", { class: "note" }, `${clean(one.who, 40)}, ${moment(Date.parse(one.time) / 1000)}${one.why === "" ? "" : `: ${clean(one.why, 200)}`}`),
          stands ? h("button", { type: "button", "data-decision": one.decision, "aria-label": `Undo: ${what}`, onclick: () => undo(one.decision, id, what) }, "Undo") : null,
        );
      }),
    ),
  );
}

/** @param {any} one */
function sentenceOf(one) {
  const label = one.label === null || one.label === "" ? "" : ` “${clean(one.label, 60)}”`;
  switch (one.action) {
    case "merge":
      return `merged into cluster ${one.into}`;
    case "split":
      return `split: ${one.created.join(", ")}`;
    case "undo":
      return `took back decision ${one.undoes}`;
    default:
      return `${{ name: "named", promote: "promoted to", link: "linked to", dismiss: "dismissed" }[/** @type {"name"} */ (one.action)] ?? one.action}${label}`;
  }
}

/** For the title of the tab. @param {number} id */
export const titleOf = (id) => `${called(state.clusters.get(id) ?? { id })} · firstseen`;
