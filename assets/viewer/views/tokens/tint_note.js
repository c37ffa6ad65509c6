// @ts-check
/** What the tint of the tokens means: its colours with the ends of their scale, and words. */
import { create } from '../dom.js';
import { formatRatio } from '../../numbers/ratios.js';
import { tintEnd } from '../../numbers/token_tint.js';

/** @param {import('../../text/token.js').Reading} reading */
export function createTintNote(reading) {
  const words = create('span', { class: 'av-tint-words' });
  const low = create('span', { text: '0' });
  const high = create('span', { class: 'av-tint-high' });
  const scale = create('span', { class: 'av-tint-scale' }, ['tint ', low, create('i', { class: 'av-tint-colours' }), high]);
  return {
    elements: [scale, words],

    /** @param {import('../../numbers/token_tint.js').Tint | null} tint */
    show(tint) {
      const isSigned = reading.isSigned();
      scale.hidden = !tint || Boolean(tint.isRatio && !(tint.end > 0));
      scale.classList.toggle('av-signed', isSigned);
      if (tint) {
        const hasTwo = isSigned && tint.end > 0;
        high.textContent = tint.isRatio ? formatRatio(tint.end) : `${hasTwo ? '+' : ''}${tintEnd(tint)}`;
        low.textContent = tint.isRatio ? formatRatio(-tint.end) : hasTwo ? `−${tintEnd(tint)}` : '0';
      }
      words.textContent = reading.words(tint);
      words.title = words.textContent;
    },
  };
}
