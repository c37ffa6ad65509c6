// @ts-check
/**
 * Of two members whose heads do not stand for each other: why there is no matrix of change, and beside it the heads of each by what they
 * put in the place (without one, by how much of the row is on pictures). A click shows that head in that member's map.
 */
import { isSideBySide, memberName } from '../../data/comparison_info.js';
import { formatPercent } from '../../data/format.js';
import { headCount, layersOf } from '../../data/run_info.js';
import { regionIn } from '../../numbers/regions.js';
import { regionWords } from '../../text/map.js';
import { whySideBySide } from '../../text/side_by_side.js';
import { create, part } from '../dom.js';

const MOST = 24;

/**
 * @param {Element} root
 * @param {import('../../state/fields.js').ComparisonState} state
 * @param {{chooseOf: (member: number, change: Partial<import('../../state/own_heads.js').OwnHead>) => void}} actions
 */
export function createBestHeads(root, state, { chooseOf }) {
  const place = part(root, 'best');
  const why = create('p', { class: 'av-best-why' });
  const note = create('p', { class: 'av-best-note' });
  const sides = [0, 1].map(() => {
    const name = create('b');
    const list = create('ol', { class: 'av-best-list' });
    return { name, list, element: create('section', { class: 'av-best-side' }, [name, list]) };
  });
  place.replaceChildren(why, note, create('div', { class: 'av-best-sides' }, sides.map(({ element }) => element)));

  function explain() {
    const { comparison, infos } = state.get;
    const isThere = isSideBySide(comparison);
    place.hidden = !isThere;
    why.textContent = isThere ? whySideBySide(infos) : '';
  }

  function fill() {
    const { comparison, infos, info, pair, best, region } = state.get;
    if (!comparison || !info || !pair || !pair.isSideBySide) return;
    const { tower } = pair.before;
    const chosen = regionIn(info, region, tower);
    const chance = best?.chance == null ? '' : ` (chance ${formatPercent(best.chance)})`;
    note.textContent = !best ? (pair.before.effect ? 'Heads are ordered by what they read: choose Read.' : '') : (!best.shares.length && best.why) || (best.isOfPlace && chosen ? `heads by what they put ${regionWords(chosen)}${chance}` : 'heads by how much of the row is on pictures');
    note.title = best?.why || note.textContent;
    sides.forEach(({ name, list }, i) => {
      const member = i ? pair.right : pair.left;
      const shown = i ? pair.after : pair.before;
      const shares = best?.shares[i];
      name.textContent = memberName(comparison.members, member);
      const [layers, heads] = [layersOf(infos[member], tower), headCount(infos[member], tower)];
      if (!shares || shares.length !== layers.length * heads) return list.replaceChildren();
      list.setAttribute('aria-label', `heads of ${name.textContent}`);
      list.replaceChildren(...largest(shares, MOST).map((at) => {
        const [layer, head] = [layers[Math.floor(at / heads)], at % heads];
        const bar = create('i', { class: 'av-share-bar' });
        bar.style.width = `${100 * Math.min(1, shares[at])}%`;
        const button = create('button', { type: 'button', class: 'av-moved-row', 'aria-pressed': shown.layer === layer && shown.head === head }, [
          bar, create('span', { class: 'av-moved-name', text: `layer ${layer} · head ${head}` }), create('span', { text: formatPercent(shares[at]) }),
        ]);
        button.addEventListener('click', () => chooseOf(member, { layer, head }));
        return create('li', {}, [button]);
      }));
    });
  }

  const undo = [state.on(['comparison', 'infos'], explain), state.on(['best', 'pair', 'infos', 'region', 'comparison'], fill)];
  explain();
  return { dispose: () => { undo.forEach((end) => end()); place.replaceChildren(); } };
}

/** Where the largest are, largest first; what is no number is left out. @param {Float32Array} values @param {number} most */
export function largest(values, most) {
  return [...values.keys()].filter((at) => !Number.isNaN(values[at])).sort((a, b) => values[b] - values[a] || a - b).slice(0, most);
}
