/**
 * One key, one thing: j and k through the list, Enter opens, n p l m s d decide, u takes back, / searches, Esc goes back,
 * ? tells all this. Keys that are typed into a field are the field's (WCAG 2.1.4: they do nothing elsewhere than on this
 * page, and can be switched off in the help).
 */

import { isAsking, tell } from "./dialogs.js";
import { byId, h } from "./dom.js";
import { listed } from "./list.js";
import { showTab } from "./tabs.js";
import { state, update } from "./store.js";
import { ACTIONS, decide, undoLast } from "./triage.js";

const OFF = "firstseen.keys-off";

/** @param {(id: number) => void} openCluster @param {() => void} closeCluster */
export function startKeyboard(openCluster, closeCluster) {
  byId("help").addEventListener("click", help);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isAsking()) return;
    const at = /** @type {HTMLElement} */ (event.target);
    const isTyping = at.matches("input, select, textarea, [contenteditable]");
    if (event.key === "Escape") {
      if (at.id === "search") {
        byId("search").value = "";
        update({ query: "" });
        at.blur();
      } else if (!isTyping) closeCluster();
      return;
    }
    if (isTyping || localStorage.getItem(OFF) !== null) return;
    const does = keys(openCluster)[event.key];
    if (does === undefined) return;
    event.preventDefault();
    does();
  });
}

/** @param {(id: number) => void} openCluster @returns {Record<string, () => void>} */
function keys(openCluster) {
  const at = state.open ?? state.selected;
  return {
    j: () => move(1, openCluster),
    k: () => move(-1, openCluster),
    u: undoLast,
    "/": () => byId("search").focus(),
    "?": help,
    ...Object.fromEntries(Object.entries(ACTIONS).map(([key, { action }]) => [key, () => decide(action, at ?? -1)])),
  };
}

/** To the next row, or the next page while one is open. @param {number} by @param {(id: number) => void} openCluster */
function move(by, openCluster) {
  const ids = listed().map((cluster) => cluster.id);
  if (ids.length === 0) return;
  const at = state.open ?? state.selected ?? -1;
  const from = ids.indexOf(at);
  const beside = state.beside.of !== at ? null : by > 0 ? state.beside.next : state.beside.previous;
  const next = beside !== null && ids.includes(beside) ? beside : ids[Math.max(0, Math.min(ids.length - 1, from < 0 ? 0 : from + by))];
  update({ selected: next });
  if (state.open !== null) {
    openCluster(next);
    return;
  }
  showTab("clusters");
  const row = /** @type {HTMLElement | null} */ (document.querySelector(`#list [data-id="${next}"]`));
  row?.focus();
  row?.scrollIntoView({ block: "nearest" });
}

function help() {
  const rows = [
    ["j k", "next and previous cluster"],
    ["Enter", "open its page"],
    ...Object.entries(ACTIONS).map(([key, { label, hint }]) => [key, `${label.toLowerCase()}: ${hint}`]),
    ["u", "undo what was decided last here"],
    ["/", "search"],
    ["Esc", "back to the list"],
    ["← ↑ ↓ → + − 0", "move, zoom and fit the map, when it has the focus"],
    ["?", "this"],
  ];
  const toggle = /** @type {HTMLInputElement} */ (
    h("input", {
      type: "checkbox",
      id: "keys-off",
      checked: localStorage.getItem(OFF) === null,
      onchange: () => (toggle.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1")),
    })
  );
  tell("Keys", h("table", { class: "keys" }, h("tbody", {}, rows.map(([key, what]) => h("tr", {}, h("th", { scope: "row" }, key.split(" ").map((one) => [h("kbd", {}, one), " "])), h("td", {}, what))))), h("label", { class: "check", for: "keys-off" }, toggle, h("span", {}, "Single keys do these things")));
}
