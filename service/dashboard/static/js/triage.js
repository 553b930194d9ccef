/**
 * Decisions about clusters: what each asks, what it sends (docs: POST /clusters/{id}/...), and what is said when it is
 * done. A decision has a key of its own (`Idempotency-Key`), so that it is made once; each can be taken back.
 */

import { freshKey, get, post, Problem } from "./api.js";
import { ask } from "./dialogs.js";
import { h } from "./dom.js";
import { evidenceOf } from "./evidence.js";
import { refresh } from "./feed.js";
import { listed } from "./list.js";
import { thumbnail } from "./payload.js";
import { called, clean, count } from "./format.js";
import { state, touch, update } from "./store.js";
import { toast } from "./toasts.js";

/** @typedef {import("./store.js").Cluster} Cluster */
/** @typedef {"name" | "promote" | "link" | "merge" | "split" | "dismiss"} Action */

const WHY = /** @type {import("./dialogs.js").Field} */ ({ name: "why", label: "Why (may be left out)", type: "text", max: 500 });
const MOST_DONE = 50;

let isPreparing = false;

/** Key on the keyboard -> what it does, in the order of the buttons. @type {Record<string, {action: Action, label: string, hint: string}>} */
export const ACTIONS = {
  n: { action: "name", label: "Name", hint: "call it something; it stays a cluster" },
  p: { action: "promote", label: "Promote", hint: "make it a known class from the next item on" },
  l: { action: "link", label: "Link", hint: "it is part of a class that is known" },
  m: { action: "merge", label: "Merge", hint: "into another cluster" },
  s: { action: "split", label: "Split", hint: "into parts that are shown first" },
  d: { action: "dismiss", label: "Dismiss", hint: "nobody is told, until it grows or until a date" },
};

/** Ask about an action, and carry it out. @param {Action} action @param {number} id */
export async function decide(action, id) {
  const cluster = state.clusters.get(id) ?? state.others?.find((c) => c.id === id);
  if (cluster === undefined) {
    toast("Choose a cluster first: j and k move through the list.", null, "failed");
    return;
  }
  if (state.absent.curation) {
    toast("This service takes no decisions.", null, "failed");
    return;
  }
  if (isPreparing) return; // a key that is pressed again meanwhile asks nothing twice
  isPreparing = true;
  const question = await questionOf(action, cluster).finally(() => (isPreparing = false));
  if (question === null) return;
  const key = freshKey();
  await ask({
    ...question,
    submit: async (values) => {
      const made = await send(id, action, question.body(values), key);
      const words = question.done(values, made);
      update({ beside: besideOf(id) });
      state.done.push({ decision: made.decision, cluster: id, what: words });
      state.done.splice(0, Math.max(0, state.done.length - MOST_DONE));
      touch("done");
      toast(words, { label: "Undo", run: () => undo(made.decision, id, words) });
      refresh("clusters", "map", "health", "timeline");
    },
  });
}

/** A decision may take a cluster to the end of the list; j and k go on from where it was. @param {number} id */
function besideOf(id) {
  const ids = listed().map((one) => one.id);
  const at = ids.indexOf(id);
  return { of: id, next: ids[at + 1] ?? null, previous: ids[at - 1] ?? null };
}

/** @param {number} id @param {string} action @param {any} body @param {string} key */
async function send(id, action, body, key) {
  try {
    return await post(`/clusters/${id}/${action}`, body, {}, { "idempotency-key": `"${key}"` });
  } catch (error) {
    if (error instanceof Problem && error.type === "/problems/unknown-path") {
      update({ absent: { ...state.absent, curation: true } });
      throw new Error("This service takes no decisions: it is of an older version.");
    }
    throw error;
  }
}

/** Take back what was decided last on this page. */
export async function undoLast() {
  const last = state.done.at(-1);
  if (last === undefined) toast("Nothing was decided here that could be undone. The cluster's page lists what was decided before.", null, "failed");
  else await undo(last.decision, last.cluster, last.what);
}

/** @param {number} decision its number @param {number} id @param {string} what */
export async function undo(decision, id, what) {
  try {
    await send(id, "undo", { decision }, freshKey());
    const at = state.done.findIndex((d) => d.decision === decision);
    if (at >= 0) state.done.splice(at, 1);
    touch("done");
    toast(`Undone: ${what}`);
    refresh("clusters", "map", "health", "timeline");
  } catch (error) {
    toast(error instanceof Error ? error.message : String(error), null, "failed");
  }
}

/**
 * @param {Action} action
 * @param {Cluster} cluster
 * @returns {Promise<null | {title: string, intro?: any, action: string, fields: import("./dialogs.js").Field[], body: (v: any) => any, done: (v: any, made: any) => string}>}
 */
async function questionOf(action, cluster) {
  const who = `cluster ${called(cluster)}`;
  const labels = state.classes.map((c) => c.label);
  switch (action) {
    case "name":
      return {
        title: `Name ${who}`,
        intro: "It stays a cluster; only what it is called changes. An empty name takes the name away.",
        action: "Name it",
        fields: [{ name: "label", label: "Name", type: "text", value: cluster.name ?? cluster.label ?? "", filled: suggestionFor(cluster), max: 100 }, WHY],
        body: ({ label, why }) => ({ label, why }),
        done: ({ label }) => (label === "" ? `Cluster ${cluster.id} has no name any more.` : `Cluster ${cluster.id} is named “${clean(label, 60)}”.`),
      };
    case "promote":
      return {
        title: `Promote ${who}`,
        intro: "From the next item on it is a known class with this label. Verdicts that were given stay.",
        action: "Promote",
        fields: [{ name: "label", label: "Label of the new class", type: "text", value: cluster.name ?? "", offered: suggestionFor(cluster), required: true, max: 100 }, WHY],
        body: ({ label, why }) => ({ label, why }),
        done: ({ label }) => `Cluster ${cluster.id} is promoted: class “${clean(label, 60)}” from the next item on.`,
      };
    case "link":
      return {
        title: `Link ${who}`,
        intro: "Its items are of this class from the next one on.",
        action: "Link",
        fields: [
          { name: "label", label: "Known class", type: "select", value: cluster.variant_of ?? cluster.nearest ?? "", required: true, options: labels.map((l) => ({ value: l, text: clean(l, 60) })) },
          WHY,
        ],
        body: ({ label, why }) => ({ label, why }),
        done: ({ label }) => `Cluster ${cluster.id} is linked to class “${clean(label, 60)}”.`,
      };
    case "merge": {
      const others = [...state.clusters.values()].filter((c) => c.id !== cluster.id);
      if (others.length === 0) {
        toast("There is no other cluster to merge it into.", null, "failed");
        return null;
      }
      return {
        title: `Merge ${who}`,
        intro: `Cluster ${cluster.id} goes into the one you choose, and they stay together.`,
        action: "Merge",
        fields: [
          { name: "into", label: "Into", type: "select", value: String(closest(cluster, others)), required: true, options: others.map((c) => ({ value: String(c.id), text: `Cluster ${called(c)}, ${count(c.items)} items` })) },
          WHY,
        ],
        body: ({ into, why }) => ({ into: Number(into), why }),
        done: ({ into }) => `Cluster ${cluster.id} is merged into cluster ${into}.`,
      };
    }
    case "dismiss":
      return {
        title: `Dismiss ${who}`,
        intro: "It goes on as before, and nobody is told, until one of these.",
        action: "Dismiss",
        fields: [
          { name: "rate", label: "Until it comes so many times as often as now", type: "number", value: "5", min: "1", step: "any" },
          { name: "until", label: "Or until (may be left out)", type: "datetime-local" },
          WHY,
        ],
        body: ({ rate, until, why }) => ({ until_rate: rate === "" ? null : Number(rate), until: until === "" ? null : new Date(until).toISOString(), why }),
        done: ({ rate }) => `Cluster ${cluster.id} is dismissed${rate === "" ? "" : ` until it comes ${rate} times as often`}.`,
      };
    default:
      return splitQuestion(cluster, who);
  }
}

/** @param {Cluster} cluster @param {string} who */
async function splitQuestion(cluster, who) {
  let preview;
  try {
    preview = await get(`/clusters/${cluster.id}/split`);
  } catch (error) {
    toast(error instanceof Error ? error.message : String(error), null, "failed");
    return null;
  }
  if (preview.parts.length < 2) {
    toast(`Cluster ${cluster.id} is of one piece: there is nothing to split.`, null, "failed");
    return null;
  }
  return {
    title: `Split ${who}`,
    intro: h("p", {}, `It would fall into ${preview.parts.length} parts. Those that are ticked leave, each as a cluster of its own, and stay apart.`),
    action: "Split",
    fields: /** @type {import("./dialogs.js").Field[]} */ ([
      {
        name: "parts",
        label: "Parts that leave",
        type: "checks",
        options: preview.parts.map((/** @type {any} */ part, /** @type {number} */ k) => ({
          value: String(k),
          text: looksOf(part),
          checked: k > 0,
        })),
      },
      WHY,
    ]),
    body: (/** @type {any} */ { parts, why }) => ({ parts: divided(preview.parts, parts), why }),
    done: (/** @type {any} */ _values, /** @type {any} */ made) => `Cluster ${cluster.id} is split: ${made.created.join(", ")} came of it.`,
  };
}

/** What stays, in one part, and those that leave: by their members. @param {any[]} parts @param {string[]} leaving */
function divided(parts, leaving) {
  const leaves = (/** @type {number} */ k) => leaving.includes(String(k));
  const stays = parts.filter((_, k) => !leaves(k)).flatMap((part) => part.members);
  return [stays, ...parts.filter((_, k) => leaves(k)).map((part) => part.members)];
}

/** A part in words, and those of its items that were kept. @param {any} part */
function looksOf(part) {
  const thumbs = part.exemplars.filter((/** @type {any} */ one) => one.kept).map(thumbnail).filter((/** @type {any} */ one) => one !== null);
  const like = part.exemplars.slice(0, 3).map((/** @type {any} */ one) => clean(one.id, 30)).join(", ");
  return h("span", { class: "part" }, `${count(part.items)} items, like ${like}`, h("span", { class: "thumbs", "aria-hidden": "true" }, thumbs.slice(0, 6)));
}

/** @param {Cluster} cluster @returns {Promise<string>} "" where there is none */
async function suggestionFor(cluster) {
  const found = await evidenceOf(cluster);
  return found?.suggested_name ?? "";
}

/** The other cluster that lies nearest on the map. @param {Cluster} cluster @param {Cluster[]} others */
function closest(cluster, others) {
  const here = state.places.get(cluster.id);
  if (here === undefined) return others[0].id;
  const distance = (/** @type {Cluster} */ other) => {
    const there = state.places.get(other.id);
    return there === undefined || there.x === null ? Infinity : Math.hypot(there.x - here.x, there.y - here.y);
  };
  return others.reduce((best, other) => (distance(other) < distance(best) ? other : best)).id;
}
