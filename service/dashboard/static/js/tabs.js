/** On a narrow screen one part is seen at a time. @param {string} tab */
export function showTab(tab) {
  document.body.dataset.tab = tab;
  for (const button of document.querySelectorAll("#tabs button")) {
    if (/** @type {HTMLElement} */ (button).dataset.tab === tab) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}
