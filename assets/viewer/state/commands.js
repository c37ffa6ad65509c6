// @ts-check
/** What each command of the keyboard does. Which key means which is in `keys.js`. Knows no document. */
import { commandOf } from './keys.js';

/**
 * @param {Pick<import('./actions.js').Actions, 'step' | 'extendBy' | 'turn' | 'nextTower' | 'nextSinks' | 'play' | 'stepPicture'>} actions
 * @param {{help: () => void, clear: () => void, beside: (by: number) => void, mark: () => void, place: () => void, effect?: () => void}} page  `effect`: where there are forecasts
 * @returns {Record<string, (by: number) => void>} by the names that `KEYS` has
 */
export function createCommands(actions, { help, clear, beside, mark, place, effect = () => {} }) {
  return {
    layer: (by) => actions.step('layer', by),
    head: (by) => actions.step('head', by),
    token: (by) => actions.step('token', by),
    range: (by) => actions.extendBy(by),
    beside: (by) => beside(by),
    direction: () => actions.turn(),
    tower: () => actions.nextTower(),
    sinks: () => actions.nextSinks(),
    play: () => actions.play(),
    picture: (by) => actions.stepPicture(by),
    film: () => actions.play('frames'),
    mark: () => mark(),
    place: () => place(),
    effect: () => effect(),
    help: () => help(),
    clear: () => clear(),
  };
}

/**
 * What a key leads to, null where it is not one of ours.
 * @param {ReturnType<typeof createCommands>} commands
 * @param {Parameters<typeof commandOf>[0]} event
 * @param {Parameters<typeof commandOf>[1]} target
 * @returns {(() => void) | null}
 */
export function actionOf(commands, event, target) {
  const found = commandOf(event, target);
  return found && (() => commands[found.command](found.by ?? 0));
}
