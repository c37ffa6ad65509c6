// @ts-check
/**
 * Places of the answer that are not drawn as one may think, in words on the stage: those on no picture, with a button that draws them on the
 * picture on screen; those outside of it, by a guess, or read anew, with one that leads to how the answer's numbers count.
 */
import { create } from '../dom.js';

/**
 * @param {Element} parent
 * @param {{draw: (isWished: boolean) => void, choose: () => void}} does
 */
export function createUnplaced(parent, { draw, choose }) {
  const words = create('span', {});
  const button = create('button', { type: 'button', text: 'draw here' });
  const numbers = create('button', { type: 'button', text: 'numbers …', title: 'how the answer’s numbers count' });
  const element = create('div', { class: 'av-unplaced', role: 'group', 'aria-label': 'Places not drawn as named', hidden: '' }, [words, button, numbers]);
  button.addEventListener('click', () => draw(button.getAttribute('aria-pressed') !== 'true'));
  numbers.addEventListener('click', choose);
  parent.append(element);

  return {
    /**
     * @param {import('../../data/run_info.js').Unplaced[]} places
     * @param {{index: number, isChosen: boolean} | null} picture  on screen
     * @param {{words: string, why: string[]}} apart  what else is to be said, and the reasons
     * @param {boolean} canChoose  the answer's numbers can be read anew
     */
    show(places, picture, apart, canChoose) {
      element.hidden = !picture || !(places.length || apart.words);
      const count = `${places.length} place${places.length === 1 ? '' : 's'}`;
      const isChosen = Boolean(picture?.isChosen);
      const on = places.length ? `${count} ${isChosen ? 'drawn here' : 'on no picture'}` : '';
      words.textContent = [on, apart.words].filter(Boolean).join(' · ');
      element.title = [...new Set([...places.map(({ why }) => why), ...apart.why])].map(sentence).join(' ');
      button.hidden = !places.some(({ on: each }) => each.some(({ image }) => image === picture?.index));
      button.setAttribute('aria-pressed', String(isChosen));
      numbers.hidden = !canChoose;
    },
    dispose: () => element.remove(),
  };
}

/** @param {string} text */
function sentence(text) {
  return `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}
