/**
 * What was done, said where it is seen and read out; with a button to take it back. The newest 4 stay until they are
 * closed or 20 s have passed (time stops while one is pointed at or has the focus).
 */

import { byId, h } from "./dom.js";

const STAY_MS = 20_000;
const MOST = 4;

/**
 * @param {string} words
 * @param {{label: string, run: () => void} | null} [action]
 * @param {"done" | "failed"} [kind]
 */
export function toast(words, action = null, kind = "done") {
  const box = byId("toasts");
  /** @type {number | undefined} */
  let timer;
  const gone = () => element.remove();
  const stay = () => clearTimeout(timer);
  const count = () => {
    stay();
    timer = setTimeout(gone, STAY_MS);
  };
  const element = h(
    "div",
    { class: `toast ${kind}`, role: kind === "failed" ? "alert" : "status", onpointerenter: stay, onfocusin: stay, onpointerleave: count, onfocusout: count },
    h("p", {}, words),
    action === null
      ? null
      : h("button", {
          type: "button",
          onclick: () => {
            gone();
            action.run();
          },
        }, action.label),
    h("button", { type: "button", class: "icon", "aria-label": "Close this message", onclick: gone }, "×"),
  );
  box.append(element);
  while (box.children.length > MOST) box.firstElementChild.remove();
  count();
}
