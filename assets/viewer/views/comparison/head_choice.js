// @ts-check
/** The layer and head of one pane, where no head of one member stands for a head of another. */
import { isSideBySide } from '../../data/comparison_info.js';
import { headsOf, layersOf } from '../../data/run_info.js';
import { choices } from '../../data/selection.js';
import { wordsBetween } from '../../text/layers.js';
import { selectionOf } from '../../state/own_heads.js';
import { stepper } from '../choices.js';
import { create } from '../dom.js';

/**
 * @param {import('../../state/fields.js').ComparisonState} state
 * @param {'left' | 'right'} side  whose map the pane has
 * @param {(member: number, change: Partial<import('../../state/own_heads.js').OwnHead>) => void} chooseOf
 */
export function createHeadChoice(state, side, chooseOf) {
  const layer = stepper('Layer', 'layer', (value) => chooseOf(state.get[side], { layer: value }), true);
  const head = stepper('Head', 'head', (value) => chooseOf(state.get[side], { head: value }), true);
  const element = create('div', { class: 'av-own', role: 'group', 'aria-label': `Layer and head of the ${side === 'left' ? 'first' : 'second'} map`, hidden: '' }, [layer.element, head.element]);

  function offer() {
    const { comparison, infos, tower } = state.get;
    element.hidden = !isSideBySide(comparison);
    const info = element.hidden ? undefined : infos[state.get[side]];
    layer.offer(info?.towers[tower] ? choices(layersOf(info, tower)) : [], info?.towers[tower] ? wordsBetween(info, tower) : []);
    head.offer(info?.towers[tower] ? choices(headsOf(info, tower)) : []);
    show();
  }

  function show() {
    const { selection, own } = state.get;
    const its = selection && selectionOf(selection, own, state.get[side]);
    layer.show(its?.layer);
    head.show(its?.head);
  }

  const undo = [state.on(['comparison', 'infos', 'tower', 'left', 'right'], offer), state.on(['selection', 'own'], show)];
  offer();
  /** The next layer, or head, or the one before. @param {'layer' | 'head'} what @param {number} by */
  function step(what, by) {
    const { selection, infos, own, tower } = state.get;
    if (element.hidden || !selection) return false;
    const info = infos[state.get[side]];
    const offered = choices(what === 'layer' ? layersOf(info, tower) : headsOf(info, tower));
    const place = offered.indexOf(selectionOf(selection, own, state.get[side])[what]) + by;
    if (place in offered) chooseOf(state.get[side], { [what]: offered[place] });
    return true;
  }

  return { element, step, dispose: () => undo.forEach((end) => end()) };
}
