/**
 * All that the page knows, in one place. Parts read `state`, change it by `update`, and are told once per frame what
 * changed, however many changes there were: a burst of messages costs one drawing.
 */

/**
 * @typedef {object} Cluster as GET /clusters has it, see docs/protocol.md
 * @property {number} id
 * @property {string} state
 * @property {string | null} name
 * @property {string | null} [label]
 * @property {boolean} [dismissed]
 * @property {number} items
 * @property {number | null} items_to_emerge
 * @property {number} born_seq
 * @property {number | null} emerged_seq
 * @property {number} last_seq
 * @property {number} first_t
 * @property {number} last_t
 * @property {string | null} nearest
 * @property {number | null} nearest_distance
 * @property {string[]} exemplars
 * @property {number | null} parent_id
 * @property {number | null} merged_into
 * @property {string | null} variant_of
 * @property {any} missing
 * @property {any} evidence
 */

export const state = {
  /** @type {any} GET /info, once */ info: null,
  /** @type {number} */ seq: 0,
  /** @type {"connecting" | "live" | "away" | "locked"} */ link: "connecting",
  /** @type {string} */ trouble: "",
  /** when a route was answered last, seconds since 1970 */ asOf: 0,
  /** @type {Map<number, Cluster>} the current ones */ clusters: new Map(),
  /** @type {boolean} whether GET /clusters was answered */ hasClusters: false,
  /** @type {Cluster[] | null} candidates or gone ones, where those are shown */ others: null,
  /** @type {{label: string, x: number | null, y: number | null, radius: number | null}[]} */ classes: [],
  /** @type {string[]} all labels there are, promoted ones last */ labels: [],
  /** @type {Map<number, any>} where clusters are on the map, since when (`born`, seconds on the page's clock), and their sparklines */ places: new Map(),
  /** @type {any} GET /timeline */ timeline: null,
  /** how far back that is, in seconds; 0 for all of the stream */ span: 0,
  /** @type {any[]} GET /health/classes */ health: [],
  /** @type {any[]} what happened, the newest first; at most 200 */ events: [],
  /** @type {string} */ query: "",
  /** @type {string} "", candidate or gone */ shown: "",
  /** @type {number | null} the row that keys act on */ selected: null,
  /** @type {number | null} the cluster whose page is open */ open: null,
  /** @type {{of: number, next: number | null, previous: number | null}} what was beside the cluster that was decided last */ beside: { of: -1, next: null, previous: null },
  /** @type {number | null} */ hovered: null,
  /** @type {Record<string, boolean>} parts of the service that are not there: map, timeline, health, curation */ absent: {},
  /** @type {{decision: any, cluster: number, what: string}[]} what was decided here, the newest last; at most 50 */ done: [],
};

/** @type {[Set<string>, () => void][]} */
const listeners = [];
/** @type {Set<string>} */
const changed = new Set();
let isAsked = false;

/**
 * Change the state, and tell who wants to know of any of these keys.
 * @param {Partial<typeof state>} values
 */
export function update(values) {
  Object.assign(state, values);
  touch(...Object.keys(values));
}

/** Say that a value was changed in place. @param {...string} keys */
export function touch(...keys) {
  for (const key of keys) changed.add(key);
  if (!isAsked) {
    isAsked = true;
    // A page in the background gets no frames; it is drawn when it is looked at again.
    requestAnimationFrame(tell);
  }
}

/**
 * Call `draw` now, and in each frame after one of these keys changed.
 * @param {string[]} keys
 * @param {() => void} draw
 */
export function on(keys, draw) {
  listeners.push([new Set(keys), draw]);
  draw();
}

function tell() {
  isAsked = false;
  const now = new Set(changed);
  changed.clear();
  for (const [keys, draw] of listeners) {
    for (const key of now) {
      if (keys.has(key)) {
        draw();
        break;
      }
    }
  }
}
