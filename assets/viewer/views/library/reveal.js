// @ts-check
/** A part of the page brought into view: what is folded away around it, by Gradio or by the browser, is unfolded first. */

/** @param {HTMLElement} element */
export function reveal(element) {
  for (let place = element.parentElement; place; place = place.parentElement) {
    if (place instanceof HTMLDetailsElement) place.open = true;
    const lid = /** @type {HTMLElement | null} */ (place.querySelector(':scope > button.label-wrap'));
    if (lid && !lid.classList.contains('open')) lid.click();
  }
  window.setTimeout(() => element.scrollIntoView({ block: 'nearest' }));
}
