/** Ties the parts together: which cluster is open is in the address (#/cluster/3), so that it can be sent to somebody. */

import { get, hasKey, keepKey, stream, whenLocked } from "./api.js";
import { startCluster, titleOf } from "./cluster.js";
import { ask, isAsking } from "./dialogs.js";
import { byId, h, replace, setText } from "./dom.js";
import { startEmpty } from "./empty.js";
import { refresh, start } from "./feed.js";
import { count, tick } from "./format.js";
import { startExport } from "./exporting.js";
import { startHealth } from "./health.js";
import { startKeyboard } from "./keyboard.js";
import { startList, wantsDecision } from "./list.js";
import { startMap } from "./map/map.js";
import { on, state, update } from "./store.js";
import { showTab } from "./tabs.js";
import { startTheme } from "./theme.js";
import { startEvents, startTimeline } from "./timeline.js";
import { watch } from "./watch.js";

/** @param {number} id */
function openCluster(id) {
  location.hash = `#/cluster/${id}`;
}

function closeCluster() {
  if (state.open === null) return;
  const was = state.open;
  history.pushState(null, "", location.pathname + location.search);
  route();
  requestAnimationFrame(() => /** @type {HTMLElement | null} */ (document.querySelector(`#list [data-id="${was}"]`))?.focus());
}

function route() {
  const found = /^#\/cluster\/(\d+)$/.exec(location.hash);
  const id = found === null ? null : Number(found[1]);
  const isNew = id !== null && id !== state.open;
  update({ open: id, selected: id ?? state.selected });
  if (!isNew) return;
  showTab("clusters");
  requestAnimationFrame(() => requestAnimationFrame(() => document.getElementById("cluster-title")?.focus()));
}

function askForKey() {
  // Beside another question: the next answer asks again.
  if (state.link === "locked" || isAsking()) return;
  const isWrong = hasKey();
  update({ link: "locked" });
  ask({
    title: "A key is needed",
    intro: isWrong ? "The key that was given is not valid, or not any more." : "This service answers to who has a key with the scope `read`; with `curate`, decisions can be made as well. It is kept until this tab is closed.",
    action: "Go on",
    fields: [{ name: "key", label: "Key (fs_...)", type: "password", required: true }],
    submit: async ({ key }) => keepKey(key),
  }).then((answer) => {
    if (answer === null && !hasKey()) {
      update({ trouble: "Locked: reload the page to give a key." });
      return;
    }
    update({ link: "connecting" });
    refresh();
    listStreams();
  });
}

async function listStreams() {
  try {
    const { streams } = await get("/streams");
    const names = streams.map((/** @type {any} */ s) => s.name);
    const now = stream ?? state.info?.stream ?? names[0];
    const select = byId("stream");
    select.hidden = names.length < 2;
    replace(select, names.map((/** @type {string} */ name) => h("option", { value: name, selected: name === now }, name)));
  } catch {
    // a key may be for one stream alone
  }
}

startTheme();
startMap(openCluster);
startTimeline();
startEvents();
startList();
startCluster(closeCluster);
startHealth();
startEmpty();
startExport();
startKeyboard(openCluster, closeCluster);
whenLocked(askForKey);

on(["link", "seq", "trouble"], () => {
  const status = byId("status");
  status.dataset.link = state.trouble === "" ? state.link : "away";
  const words = { connecting: "connecting", live: "live", away: "connecting again", locked: "locked" }[state.link];
  // The words are read out when they change; the count, which changes all the time, is not.
  setText(byId("status-words"), state.trouble === "" ? words : state.asOf === 0 ? state.trouble : `${state.trouble} What is shown is of ${tick(state.asOf, 1)}.`);
  setText(byId("status-at"), state.trouble === "" && state.seq > 1 ? `, at item ${count(state.seq - 1)}` : "");
});
on(["open", "clusters"], () => {
  const open = [...state.clusters.values()].filter(wantsDecision).length;
  const where = state.open === null ? "firstseen" : titleOf(state.open);
  document.title = open === 0 ? where : `(${open}) ${where}`;
});
on(["absent"], () => {
  byId("timeline-panel").hidden = Boolean(state.absent.timeline);
  byId("map-panel").hidden = Boolean(state.absent.map);
});

byId("stream").addEventListener("change", () => location.assign(`/?stream=${encodeURIComponent(byId("stream").value)}`));
byId("search").addEventListener("input", () => update({ query: byId("search").value }));
byId("search").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
  if (event.key === "Enter") /** @type {HTMLElement | null} */ (document.querySelector("#list .row"))?.focus();
});
byId("search").addEventListener("focus", () => showTab("clusters"));
byId("state").addEventListener("change", () => {
  update({ shown: byId("state").value, others: null });
  refresh("clusters");
});
for (const button of document.querySelectorAll("#tabs button")) button.addEventListener("click", () => showTab(/** @type {any} */ (button).dataset.tab));
addEventListener("hashchange", route);
addEventListener("popstate", route);
route();
start();
watch((words) => setText(byId("live"), words));
listStreams();
