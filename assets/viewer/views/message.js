// @ts-check
/** What stands where the picture would be: that there is nothing yet, that it is being read, that it has gone, that something failed. */
import { gridsOf } from '../data/run_info.js';
import { create, part } from './dom.js';
import { expiredWords } from '../text/expired.js';

/**
 * @typedef {[title: string, text: string]} Words
 *
 * @param {Element} root
 * @param {Pick<import('../state/fields.js').ViewerState, 'get' | 'on'>} state
 * @param {object} page
 * @param {'run' | 'comparison'} page.kind  what is shown
 * @param {Words} page.empty  what to do first
 * @param {Words} page.noPicture
 * @param {() => void} page.retry
 */
export function createMessage(root, state, { kind, empty, noPicture, retry }) {
  const message = part(root, 'message');

  /** @returns {Words | null} */
  function words() {
    const { status, failure, info, grid, computing, reading } = state.get;
    if (status === 'empty') return empty;
    if (failure?.isExpired) return [`This ${kind} has expired`, expiredWords(kind)];
    if (failure?.isLeftOut) return ['Not in this file', failure.message];
    if (failure) return ['This could not be read', failure.message];
    if (computing) return [reading ? 'Computing effects …' : 'Computing what patches receive …', `${computing.done} of ${computing.total} rows`];
    if (!info) return [`Reading the ${kind} …`, ''];
    if (grid !== null) return null;
    const others = Object.keys(info.towers).filter((tower) => gridsOf(info, tower).length);
    return others.length ? ['No map in this tower', `What it reads has no place on the picture. Towers with maps: ${others.join(', ')}.`] : noPicture;
  }

  function show() {
    const { failure } = state.get;
    const said = words();
    message.replaceChildren(...(said ? [create('strong', { text: said[0] }), create('span', { text: said[1] })] : []));
    if (!failure || failure.isExpired || failure.isLeftOut || state.get.status === 'empty') return;
    const again = create('button', { type: 'button', class: 'av-again', text: 'Try again' });
    again.addEventListener('click', retry);
    message.append(again);
  }

  const undo = state.on(['status', 'failure', 'info', 'grid', 'computing'], show);
  show();
  return { dispose: undo };
}
