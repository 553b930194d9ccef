/** The stream as a file: `GET /export`, the same that `firstseen export` writes. It is kept by the browser, not shown. */

import { getFile, Problem } from "./api.js";
import { ask } from "./dialogs.js";
import { byId } from "./dom.js";
import { toast } from "./toasts.js";

const TABLES = { verdicts: "Verdicts, as given and as of now", items: "Items that are kept", clusters: "Clusters", decisions: "Decisions" };
const FORMATS = { csv: "CSV, safe to open in a spreadsheet", jsonl: "Lines of JSON" };

export function startExport() {
  byId("export").addEventListener("click", () =>
    ask({
      title: "Export the stream",
      intro: "Of one instant. Where much is in the log it takes a while.",
      action: "Export",
      fields: [
        { name: "table", label: "What", type: "select", options: options(TABLES) },
        { name: "format", label: "As", type: "select", options: options(FORMATS) },
      ],
      submit: async ({ table, format }) => save(await file(table, format)),
    }),
  );
}

/** @param {Record<string, string>} words */
const options = (words) => Object.entries(words).map(([value, text]) => ({ value, text }));

/** @param {string} table @param {string} format */
async function file(table, format) {
  try {
    return await getFile("/export", { table, format });
  } catch (error) {
    if (error instanceof Problem && error.type === "/problems/unknown-path") {
      byId("export").hidden = true;
      throw new Error("This service gives no export over HTTP: it is of an older version. `firstseen export` does.");
    }
    throw error;
  }
}

/** @param {{blob: Blob, name: string}} found */
function save({ blob, name }) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser has it by then
  toast(`${name} is with your downloads.`);
}
