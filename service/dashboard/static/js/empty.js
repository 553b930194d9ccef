/** Before the first item: what to send, as a line to copy, made for what the bundle takes. */

import { stream } from "./api.js";
import { byId, h, replace } from "./dom.js";
import { clean } from "./format.js";
import { on, state } from "./store.js";
import { toast } from "./toasts.js";

export function startEmpty() {
  const panel = byId("empty");
  on(["info", "seq", "points", "timeline", "clusters"], () => {
    const isEmpty = state.info !== null && isNothing();
    if (isEmpty === !panel.hidden) return;
    panel.hidden = !isEmpty;
    document.body.classList.toggle("is-empty", isEmpty);
    if (isEmpty) draw(panel);
  });
}

/** A change of parameters takes the first place of every stream, so seq 1 is still empty. */
function isNothing() {
  const counts = state.info.verdicts ?? {};
  const said = Object.values(counts).reduce((sum, n) => sum + Number(n), 0);
  return said === 0 && state.seq <= Math.max(1, state.info.seq) && state.clusters.size === 0;
}

/** @param {HTMLElement} panel */
function draw(panel) {
  const { input, bundle } = state.info;
  const line = command(input, location.origin);
  const code = h("code", {}, line);
  replace(
    panel,
    h("h2", { id: "empty-title" }, "Nothing has come yet"),
    h("p", {}, `Send ${wordsFor(input)}; it knows ${bundle.labels.length} classes: ${bundle.labels.slice(0, 12).map((/** @type {string} */ l) => clean(l, 30)).join(", ")}${bundle.labels.length > 12 ? ", ..." : ""}. What is none of them gathers here. Paste this into a terminal:`),
    h(
      "div",
      { class: "copy" },
      h("pre", { tabindex: "0", role: "region", "aria-label": "A command to paste" }, code),
      h("button", { type: "button", class: "main", onclick: () => copy(line) }, "Copy"),
    ),
    h("p", { class: "note" }, "Where keys are needed, add -H \"Authorization: Bearer $FIRSTSEEN_API_KEY\". Many items, files and sockets: ", h("a", { href: "/docs" }, "the API"), ", or ", h("code", {}, "firstseen classify items.jsonl"), "."),
  );
}

/** @param {any} input @param {string} origin @returns {string} a line for a POSIX shell */
export function command(input, origin) {
  const query = stream === null ? "" : `?stream=${encodeURIComponent(stream)}`;
  const body = JSON.stringify({ id: "first-1", x: input.example });
  return `curl -s '${origin}/classify${query}' -H 'content-type: application/json' -d '${body.replaceAll("'", "'\\''")}'`;
}

/** @param {any} input */
function wordsFor(input) {
  switch (input.kind) {
    case "image":
      return `an image of ${input.shape.join(" × ")} numbers from ${input.minimum} to ${input.maximum}`;
    case "text":
      return "a text";
    case "table":
      return `a row of ${input.columns.length} columns`;
    default:
      return "a vector of numbers";
  }
}

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.");
  } catch {
    // not over http from another machine; the text is selected, so that Ctrl-C copies it
    const code = document.querySelector("#empty code");
    if (code !== null) getSelection()?.selectAllChildren(code);
    toast("It is selected: copy it with Ctrl-C.");
  }
}
