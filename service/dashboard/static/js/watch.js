/**
 * `WS /watch`: events as they become durable. When it is cut it is opened again, after 1, 2, 4 ... 30 s, a little apart
 * for every page; what was missed meanwhile comes from the routes (feed.js). With a key a ticket is asked for first,
 * since a page can set no header on a WebSocket.
 */

import { address, hasKey, post } from "./api.js";
import { addEvent, refresh, setClusters } from "./feed.js";
import { called } from "./format.js";
import { state, touch, update } from "./store.js";

const LONGEST_MS = 30_000;

let failures = 0;
/** @type {(words: string) => void} */
let announce = () => {};

/** @param {(words: string) => void} say read out by a screen reader */
export function watch(say) {
  announce = say;
  open();
}

async function open() {
  if (state.link === "locked") {
    setTimeout(open, 1000);
    return;
  }
  /** @type {Record<string, string>} */
  const params = {};
  try {
    if (hasKey()) params.ticket = (await post("/tickets", undefined, { scope: "read" })).ticket;
  } catch {
    again();
    return;
  }
  const url = new URL(address("/watch", params), location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(url, ["firstseen.v1.json"]);
  socket.addEventListener("message", (frame) => take(JSON.parse(frame.data)));
  socket.addEventListener("close", again);
}

function again() {
  if (state.link === "live") update({ link: "away" });
  const wait = Math.min(LONGEST_MS, 1000 * 2 ** Math.min(failures, 5)) * (0.75 + Math.random() / 2);
  failures += 1;
  setTimeout(open, wait);
}

/** @param {any} message */
function take(message) {
  if (message.type === "hello") {
    failures = 0;
    update({ link: "live", seq: Math.max(state.seq, message.seq), hasClusters: true });
    setClusters(message.clusters);
    refresh();
  } else if (message.type === "event") {
    const { event: kind, seq, t, cluster, other_id } = message;
    state.clusters.set(cluster.id, cluster);
    touch("clusters");
    addEvent({ kind, seq, t, cluster_id: cluster.id, other_id, name: cluster.name });
    announce(sentence(kind, cluster, other_id));
    refresh("clusters", "map", "timeline");
  }
}

/** What happened, in words. @param {string} kind @param {any} cluster @param {number | null} other */
export function sentence(kind, cluster, other) {
  const who = `Cluster ${called(cluster)}`;
  switch (kind) {
    case "emerged":
      return `${who} emerged.`;
    case "drifted":
      return `${who} is a drift of a known class.`;
    case "merged":
      return `${who} went into cluster ${other}.`;
    case "split":
      return `${who} split from cluster ${other}.`;
    case "gone":
      return `${who} is gone.`;
    default:
      return `${who}: ${kind}.`;
  }
}
