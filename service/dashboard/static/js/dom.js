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
 * Put children into an element, in place of those it has. What is drawn again and again is settled instead.
 * @param {Element} element
 * @param {...(Child | Child[] | Child[][])} children
 */
export function replace(element, ...children) {
  element.replaceChildren();
  fill(element, children);
}

/**
 * Make the children of an element these, and touch only what differs, so that a focus, a selection and a scrolled place
 * stay. An element stays where tag and attributes are the same: one that listens has to say in an attribute what it is
 * about. The pixels of a canvas cannot be compared; it is put anew.
 * @param {Element} element
 * @param {...(Child | Child[] | Child[][])} children
 */
export function settle(element, ...children) {
  const wanted = document.createDocumentFragment();
  fill(wanted, children);
  become(element, wanted);
}

/** @param {Element} element @param {Element | DocumentFragment} wanted */
function become(element, wanted) {
  const had = [...element.childNodes];
  const all = [...wanted.childNodes];
  all.forEach((child, k) => {
    const now = had[k];
    if (now === undefined) element.append(child);
    else if (!isAlike(now, child)) now.replaceWith(child);
    else if (child instanceof Element) become(/** @type {Element} */ (now), child);
    else if (now.nodeValue !== child.nodeValue) now.nodeValue = child.nodeValue;
  });
  for (const over of had.slice(all.length)) over.remove();
}

/** Whether two nodes are the same but for what is in them. @param {Node} a @param {Node} b */
function isAlike(a, b) {
  if (a.nodeType !== b.nodeType || a.nodeName === "CANVAS") return false;
  return !(a instanceof Element) || a.cloneNode(false).isEqualNode(b.cloneNode(false));
}

/**
 * Make the children those wanted, by moving the elements themselves. Focus and scrolling stay.
 * @param {Element} parent
 * @param {Element[]} wanted
 */
export function arrange(parent, wanted) {
  const isWanted = new Set(wanted);
  const focus = /** @type {HTMLElement | null} */ (document.activeElement);
  for (const child of [...parent.children]) if (!isWanted.has(child)) child.remove();
  wanted.forEach((element, k) => {
    if (parent.children[k] !== element) parent.insertBefore(element, parent.children[k] ?? null);
  });
  if (focus !== document.activeElement && parent.contains(focus)) focus?.focus({ preventScroll: true }); // it was moved
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

/** @param {Element | DocumentFragment} element @param {any[]} children */
function fill(element, children) {
  for (const child of children.flat(3)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}
