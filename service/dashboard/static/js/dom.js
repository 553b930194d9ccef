/**
 * Elements out of words, never markup out of words: every string becomes a text node or an attribute's value, so what a
 * client sent can be shown and cannot run. Nothing else in these files makes elements.
 */

/**
 * @typedef {Node | string | number | null | undefined | false} Child
 */

/**
 * An element.
 * @param {string} tag
 * @param {Record<string, any>} [props] `on...` are listeners, `class`, `data-...`, `aria-...` and others attributes;
 *   false, null and undefined leave an attribute out.
 * @param {...(Child | Child[] | Child[][])} children
 * @returns {HTMLElement}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  fill(element, children);
  return element;
}

/**
 * Put children into an element, in place of those it has.
 * @param {Element} element
 * @param {...(Child | Child[] | Child[][])} children
 */
export function replace(element, ...children) {
  element.replaceChildren();
  fill(element, children);
}

/**
 * The element with this id, which index.html has.
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html has no #${id}`);
  return found;
}

/**
 * Change a text only if it differs: no work for the browser, and no word from a screen reader.
 * @param {Element} element
 * @param {string | number} text
 */
export function setText(element, text) {
  const wanted = String(text);
  if (element.textContent !== wanted) element.textContent = wanted;
}

/** @param {Element} element @param {any[]} children */
function fill(element, children) {
  for (const child of children.flat(3)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}
