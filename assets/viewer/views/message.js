// @ts-check
/** What stands where the picture would be: that there is nothing yet, that it is being read, that it has gone, that something failed. */
import { gridsOf } from '../data/run_info.js';
import { create, part } from './dom.js';
import { computedWords } from '../text/computed.js';
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
 * @param {() => void} [page.stop]  what is computed over all rows: one row instead
 */
export function createMessage(root, state, { kind, empty, noPicture, retry, stop }) {
  const message = part(root, 'message');
  const stopping = create('button', { type: 'button', class: 'av-again', text: 'Stop', title: 'one row instead of all' });
  stopping.addEventListener('click', () => stop?.());

  /** @returns {Words | null} */
  function words() {
    const { status, failure, info, grid, computing, reading } = state.get;
    if (status === 'empty') return empty;
    if (failure?.isExpired) return [`This ${kind} has expired`, expiredWords(kind)];
    if (failure?.isLeftOut) return ['Not in this file', failure.message];
    if (failure) return ['This could not be read', failure.message];
    if (computing && status === 'loading') return [reading ? 'Computing effects …' : 'Computing what patches receive …', `${computedWords(computing)}.`];
    if (!info) return [`Reading the ${kind} …`, ''];
    if (grid !== null) return null;
    const others = Object.keys(info.towers).filter((tower) => gridsOf(info, tower).length);
    return others.length ? ['No map in this tower', `What it reads has no place on the picture. Towers with maps: ${others.join(', ')}.`] : noPicture;
  }

  function show() {
    const { failure, computing, status } = state.get;
    const said = words();
    if (said && computing && !failure && status === 'loading' && message.contains(stopping)) { // a button that is reached for stays
      message.querySelector('span')?.replaceChildren(said[1]);
      return;
    }
    message.replaceChildren(...(said ? [create('strong', { text: said[0] }), create('span', { text: said[1] })] : []));
    if (stop && computing && !failure && status === 'loading') message.append(stopping);
    if (!failure || failure.isExpired || failure.isLeftOut || state.get.status === 'empty') return;
    const again = create('button', { type: 'button', class: 'av-again', text: 'Try again' });
    again.addEventListener('click', retry);
    message.append(again);
  }

  const undo = state.on(['status', 'failure', 'info', 'grid', 'computing'], show);
  show();
  return { dispose: undo };
}
