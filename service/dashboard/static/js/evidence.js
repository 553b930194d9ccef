/**
 * What a cluster is made of: GET /clusters/{id}/evidence, asked for at most two at a time and remembered until the
 * cluster has grown by half. The newest 100 are remembered.
 */

import { get, Problem } from "./api.js";
import { state } from "./store.js";

const MOST = 100;
const AT_ONCE = 2;

/**
 * @typedef {object} Exemplar a member that is shown
 * @property {string} role medoid, newest, diverse or boundary
 * @property {string} id
 * @property {number} seq
 * @property {boolean} kept whether its payload is there
 * @property {any} payload as a client would send it
 * @property {string | null} picture PNG in base64
 */

/** @type {Map<string, Promise<any>>} */
const asked = new Map();
/** @type {(() => void)[]} */
const waiting = [];
let running = 0;

/**
 * The evidence of a cluster; null where there is none.
 * @param {number} id
 * @param {number} size changes when it should be asked for again
 * @returns {Promise<any>}
 */
export function evidenceOf(id, size) {
  const key = `${id}:${size}`;
  let answer = asked.get(key);
  if (answer === undefined) {
    answer = ask(id);
    asked.set(key, answer);
    if (asked.size > MOST) asked.delete(/** @type {string} */ (asked.keys().next().value));
    answer.then((found) => {
      if (found === null) asked.delete(key); // not now; perhaps later
    });
  }
  return answer;
}

/** @param {number} id */
async function ask(id) {
  if (state.absent.evidence) return null;
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
 * @param {number} id
 * @param {number} size
 * @returns {Promise<Exemplar[]>}
 */
export async function exemplarsOf(id, size) {
  const found = await evidenceOf(id, size);
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
