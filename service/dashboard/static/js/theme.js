/** Dark or light: as the system has it, or as was chosen here (kept in localStorage). The button goes round the three. */

import { byId } from "./dom.js";
import { repaint } from "./points.js";
import { touch } from "./store.js";

const KEY = "firstseen.theme";
const NEXT = /** @type {const} */ ({ system: "light", light: "dark", dark: "system" });
const SIGNS = { system: "◐", light: "☀", dark: "☾" };
const WORDS = { system: "as the system has it", light: "light", dark: "dark" };

const dark = matchMedia("(prefers-color-scheme: dark)");

/** @returns {"system" | "light" | "dark"} */
function chosen() {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : "system";
}

function apply() {
  const choice = chosen();
  document.documentElement.dataset.theme = choice === "system" ? (dark.matches ? "dark" : "light") : choice;
  const button = byId("theme");
  button.textContent = SIGNS[choice];
  button.setAttribute("aria-label", `Theme: ${WORDS[choice]}`);
  repaint();
  touch("theme");
}

export function startTheme() {
  apply();
  dark.addEventListener("change", apply);
  byId("theme").addEventListener("click", () => {
    const next = NEXT[chosen()];
    if (next === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
    apply();
  });
}
