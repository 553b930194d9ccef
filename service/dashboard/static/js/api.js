/**
 * Ask the service. The key, where one is needed, is asked for once and kept for as long as the tab is open
 * (sessionStorage); it goes in a header, never in an address.
 */

const KEY = "firstseen.key";
const ANSWER_MS = 30_000;
export const AWAY = "The service does not answer.";
const FILE_MS = 1_800_000; // made of the whole log first

/** The stream that the page is about: `/?stream=NAME`. */
export const stream = new URLSearchParams(location.search).get("stream");

/** What the service says is wrong (RFC 9457). */
export class Problem extends Error {
  /** @param {number} status @param {{title?: string, detail?: string, type?: string}} body */
  constructor(status, body) {
    super(body.detail || body.title || `The service answered with ${status}.`);
    this.status = status;
    this.type = body.type ?? "";
  }
}

/** @type {() => void} what to do when a key is needed */
let onLocked = () => {};

/** @param {() => void} ask */
export function whenLocked(ask) {
  onLocked = ask;
}

/** @param {string} key */
export function keepKey(key) {
  sessionStorage.setItem(KEY, key);
}

export const hasKey = () => sessionStorage.getItem(KEY) !== null;

/**
 * @param {string} path
 * @param {Record<string, string | number>} [params]
 */
export function address(path, params = {}) {
  const query = new URLSearchParams();
  if (stream !== null) query.set("stream", stream);
  for (const [name, value] of Object.entries(params)) query.set(name, String(value));
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

/**
 * @param {string} path
 * @param {Record<string, string | number>} [params]
 * @returns {Promise<any>} the JSON; throws a Problem, or an Error that says AWAY
 */
export function get(path, params) {
  return ask("GET", address(path, params), undefined);
}

/**
 * @param {string} path
 * @param {unknown} body
 * @param {Record<string, string | number>} [params]
 * @param {Record<string, string>} [headers]
 * @returns {Promise<any>}
 */
export function post(path, body, params = {}, headers = {}) {
  return ask("POST", address(path, params), body, headers);
}

/**
 * A file. A link could not carry the key.
 * @param {string} path
 * @param {Record<string, string | number>} params
 * @returns {Promise<{blob: Blob, name: string}>}
 */
export async function getFile(path, params) {
  const answer = await answerTo("GET", address(path, params), undefined, { accept: "*/*" }, FILE_MS);
  const name = /filename="([^"/\\]+)"/.exec(answer.headers.get("content-disposition") ?? "")?.[1];
  return { blob: await answer.blob(), name: name ?? "export" };
}

/** @param {string} method @param {string} url @param {unknown} body @param {Record<string, string>} [more] */
async function ask(method, url, body, more = {}) {
  return (await answerTo(method, url, body, more, ANSWER_MS)).json();
}

/** @param {string} method @param {string} url @param {unknown} body @param {Record<string, string>} more @param {number} patienceMs */
async function answerTo(method, url, body, more, patienceMs) {
  const key = sessionStorage.getItem(KEY);
  /** @type {Record<string, string>} */
  const headers = { accept: "application/json", ...more };
  if (key !== null) headers.authorization = `Bearer ${key}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const answer = await fetch(url, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "omit",
    redirect: "error",
    signal: AbortSignal.timeout(patienceMs),
  }).catch(() => {
    throw new Error(AWAY); // the browser's own words differ, and say less
  });
  if (answer.ok) return answer;
  let problem = {};
  try {
    problem = await answer.json();
  } catch {
    // something in front of the service answered; the status is all there is
  }
  if (answer.status === 401) onLocked();
  throw new Problem(answer.status, problem);
}

/** A name for a decision, so that it is made once, however often it is sent. */
export function freshKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `page-${[...bytes].map((b) => b.toString(16).padStart(2, "0")).join("")}`;
}
