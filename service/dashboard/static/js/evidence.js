/**
 * What a cluster is made of: GET /clusters/{id}/evidence, asked for at most two at a time and remembered until the
 * cluster has grown by half, or for as long as is asked. The newest 100 are remembered.
 */

import { get, Problem } from "./api.js";
import { state } from "./store.js";

const MOST = 100;
const AT_ONCE = 2;
const AGAIN_MS = 10_000; // where there was none

/**
 * @typedef {object} Exemplar a member that is shown
 * @property {string} role medoid, newest, diverse or boundary
 * @property {string} id
 * @property {number} seq
 * @property {boolean} kept whether its payload is there
 * @property {any} payload as a client would send it
 * @property {string | null} picture PNG in base64
 */

/** @typedef {import("./store.js").Cluster} Cluster */

/** @type {Map<number, {size: number, at: number, goodMs: number, answer: Promise<any>}>} by cluster, the newest last */
const asked = new Map();
/** @type {(() => void)[]} */
const waiting = [];
let running = 0;

/** Changes when a cluster has grown by half. @param {Cluster} cluster */
export const sizeOf = (cluster) => Math.floor(Math.log(cluster.items + 1) / Math.log(1.5));

/**
 * The evidence of a cluster; null where there is none.
 * @param {Cluster} cluster
 * @param {number} [mostMs] how old it may be
 * @returns {Promise<any>}
 */
export function evidenceOf(cluster, mostMs = Infinity) {
  const { id } = cluster;
  const size = sizeOf(cluster);
  const now = performance.now();
  const kept = asked.get(id);
  if (kept?.size === size && now < kept.at + Math.min(mostMs, kept.goodMs)) return kept.answer;
  const one = { size, at: now, goodMs: Infinity, answer: ask(id) };
  asked.delete(id);
  asked.set(id, one);
  if (asked.size > MOST) asked.delete(/** @type {number} */ (asked.keys().next().value));
  one.answer.then((found) => {
    if (found === null) one.goodMs = AGAIN_MS;
  });
  return one.answer;
}

/** @param {number} id */
async function ask(id) {
  if (state.absent.evidence || state.link === "locked") return null;
  if (running >= AT_ONCE) await new Promise((go) => waiting.push(() => go(undefined)));
  running += 1;
  try {
    return await get(`/clusters/${id}/evidence`);
  } catch (error) {
    if (error instanceof Problem && error.type === "/problems/unknown-path") state.absent.evidence = true;
    return null;
  } finally {
    running -= 1;
    waiting.shift()?.();
  }
}

/**
 * A few exemplars, those that differ first, with payloads where they were kept.
 * @param {Cluster} cluster
 * @returns {Promise<Exemplar[]>}
 */
export async function exemplarsOf(cluster) {
  const found = await evidenceOf(cluster);
  if (found === null) return [];
  return groupsOf(found).flatMap((group) => group.exemplars).filter((one) => one.kept);
}

const KINDS = { medoid: "In the middle", diverse: "Unlike each other", boundary: "At the edge", newest: "Newest" };

/** Exemplars by kind, in a fixed order. @param {any} evidence @returns {{title: string, exemplars: Exemplar[]}[]} */
export function groupsOf(evidence) {
  return Object.entries(KINDS).flatMap(([role, title]) => {
    const some = evidence.exemplars.filter((/** @type {Exemplar} */ one) => one.role === role);
    return some.length === 0 ? [] : [{ title, exemplars: some }];
  });
}
