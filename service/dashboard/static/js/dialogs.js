/** A question in a <dialog>: the browser keeps the focus in it, Esc closes it, and the focus goes back where it was. */

import { h } from "./dom.js";

/**
 * @typedef {object} Field
 * @property {string} name
 * @property {string} label
 * @property {"text" | "password" | "number" | "datetime-local" | "select" | "checks"} type
 * @property {string} [value]
 * @property {boolean} [required]
 * @property {string} [hint]
 * @property {number} [max] characters
 * @property {string} [min]
 * @property {string} [step]
 * @property {{value: string, text: string | Node, checked?: boolean}[]} [options]
 * @property {Promise<string>} [offered] listed below the field when it is there; the dialog does not wait for it
 * @property {Promise<string>} [filled] filled in when it is there, unless something stands there or was typed
 */

/**
 * Ask, and give what was filled in; null when it was closed. `submit` may throw: its message is shown, and the dialog
 * stays.
 * @param {{title: string, intro?: string | Node, fields: Field[], action: string, submit: (values: Record<string, any>) => Promise<any>}} question
 * @returns {Promise<any>}
 */
export function ask({ title, intro, fields, action, submit }) {
  return new Promise((answer) => {
    /** @type {any} */
    let result = null;
    const trouble = h("p", { class: "trouble", role: "alert", hidden: true });
    const send = /** @type {HTMLButtonElement} */ (h("button", { type: "submit", class: "main" }, action));
    const form = h(
      "form",
      { method: "dialog", novalidate: false },
      h("h2", { id: "dialog-title" }, title),
      intro === undefined ? null : h("div", { class: "intro" }, intro),
      fields.map(field),
      trouble,
      h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), send),
    );
    const dialog = /** @type {HTMLDialogElement} */ (h("dialog", { "aria-labelledby": "dialog-title" }, form));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      send.disabled = true;
      trouble.hidden = true;
      try {
        result = await submit(valuesOf(/** @type {HTMLFormElement} */ (form), fields));
        dialog.close();
      } catch (error) {
        trouble.textContent = error instanceof Error ? error.message : String(error);
        trouble.hidden = false;
      } finally {
        send.disabled = false;
      }
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      answer(result);
    });
    document.body.append(dialog);
    dialog.showModal();
    const first = /** @type {HTMLInputElement | HTMLSelectElement | null} */ (form.querySelector("input, select"));
    first?.focus();
    if (first?.type === "text") /** @type {HTMLInputElement} */ (first).select();
  });
}

/** Words in a dialog, with one button. @param {string} title @param {...any} content */
export function tell(title, ...content) {
  const close = h("button", { type: "button", class: "main", onclick: () => dialog.close() }, "Close");
  const dialog = /** @type {HTMLDialogElement} */ (h("dialog", { "aria-labelledby": "tell-title" }, h("div", { class: "form" }, h("h2", { id: "tell-title" }, title), content, h("div", { class: "buttons" }, close))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  close.focus();
}

export const isAsking = () => document.querySelector("dialog[open]") !== null;

/** @param {Field} asked */
function field(asked) {
  const id = `field-${asked.name}`;
  const hint = asked.hint === undefined ? null : h("p", { class: "hint", id: `${id}-hint` }, asked.hint);
  const common = { id, name: asked.name, required: asked.required, "aria-describedby": hint === null ? null : `${id}-hint` };
  if (asked.type === "checks") {
    return h("fieldset", {}, h("legend", {}, asked.label), hint, (asked.options ?? []).map((o, k) => h("label", { class: "check" }, h("input", { type: "checkbox", name: asked.name, value: o.value, checked: o.checked, id: k === 0 ? id : null }), h("span", {}, o.text))));
  }
  const list = asked.offered === undefined ? null : h("datalist", { id: `${id}-list` });
  const input =
    asked.type === "select"
      ? h("select", common, (asked.options ?? []).map((o) => h("option", { value: o.value, selected: o.value === asked.value }, o.text)))
      : h("input", { ...common, type: asked.type, value: asked.value, maxlength: asked.max, min: asked.min, step: asked.step, autocomplete: "off", spellcheck: "false", list: list === null ? null : `${id}-list` });
  if (list !== null) asked.offered?.then((text) => text !== "" && list.append(h("option", { value: text })));
  if (asked.filled !== undefined) fill(/** @type {HTMLInputElement} */ (input), asked.filled);
  return h("div", { class: "field" }, h("label", { for: id }, asked.label), input, list, hint);
}

/** @param {HTMLInputElement} input @param {Promise<string>} later */
async function fill(input, later) {
  let isFree = input.value === "";
  input.addEventListener("input", () => (isFree = false), { once: true });
  const text = await later;
  if (!isFree) return;
  input.value = text;
  if (document.activeElement === input) input.select();
}

/** @param {HTMLFormElement} form @param {Field[]} fields */
function valuesOf(form, fields) {
  const data = new FormData(form);
  return Object.fromEntries(fields.map(({ name, type }) => [name, type === "checks" ? data.getAll(name) : String(data.get(name) ?? "").trim()]));
}

