// @ts-check
/** Places of the answer that are on no picture, in words on the stage, with a button that draws them on the picture on screen. */
import { create } from '../dom.js';

/**
 * @param {Element} parent
 * @param {{draw: (isWished: boolean) => void}} does
 */
export function createUnplaced(parent, { draw }) {
  const words = create('span', {});
  const button = create('button', { type: 'button', text: 'draw here' });
  const element = create('div', { class: 'av-unplaced', role: 'group', 'aria-label': 'Places on no picture', hidden: '' }, [words, button]);
  button.addEventListener('click', () => draw(button.getAttribute('aria-pressed') !== 'true'));
  parent.append(element);

  return {
    /**
     * @param {import('../../data/run_info.js').Unplaced[]} places
     * @param {{index: number, isChosen: boolean} | null} picture  on screen
     */
    show(places, picture) {
      element.hidden = !places.length || !picture;
      const count = `${places.length} place${places.length === 1 ? '' : 's'}`;
      const isChosen = Boolean(picture?.isChosen);
      words.textContent = isChosen ? `${count} drawn here` : `${count} on no picture`;
      element.title = [...new Set(places.map(({ why }) => why))].map((why) => `${why[0]?.toUpperCase() ?? ''}${why.slice(1)}.`).join(' ');
      button.hidden = !places.some(({ on }) => on.some(({ image }) => image === picture?.index));
      button.setAttribute('aria-pressed', String(isChosen));
    },
    dispose: () => element.remove(),
  };
}
