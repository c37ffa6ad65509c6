// @ts-check
/**
 * The keyboard: which key means what. Keys count only while something of the viewer has the focus; Tab stays the browser's, and
 * where a person types or chooses, every key is that control's. Knows no document.
 */

/** @type {{keys: string[], shown: string, command: string, by?: number, says: string}[]} */
export const KEYS = [
  { keys: ['ArrowLeft'], shown: '←', command: 'layer', by: -1, says: 'layer before' },
  { keys: ['ArrowRight'], shown: '→', command: 'layer', by: 1, says: 'next layer' },
  { keys: ['ArrowUp'], shown: '↑', command: 'head', by: -1, says: 'head before' },
  { keys: ['ArrowDown'], shown: '↓', command: 'head', by: 1, says: 'next head' },
  { keys: [','], shown: ',', command: 'token', by: -1, says: 'token before' },
  { keys: ['.'], shown: '.', command: 'token', by: 1, says: 'next token' },
  { keys: ['['], shown: '[', command: 'beside', by: -1, says: 'kept run before' },
  { keys: [']'], shown: ']', command: 'beside', by: 1, says: 'next kept run' },
  { keys: ['<'], shown: '<', command: 'range', by: -1, says: 'range: one token back' },
  { keys: ['>'], shown: '>', command: 'range', by: 1, says: 'range: one token on' },
  { keys: ['d'], shown: 'd', command: 'direction', says: 'reads from, is read by' },
  { keys: ['e'], shown: 'e', command: 'effect', says: 'what is read, or the forecast of what that does' },
  { keys: ['v'], shown: 'v', command: 'tower', says: 'language, vision' },
  { keys: ['s'], shown: 's', command: 'sinks', says: 'sinks masked, raw, renormalised' },
  { keys: [' '], shown: 'space', command: 'play', says: 'play over layers, or stop' },
  { keys: ['f'], shown: 'f', command: 'picture', by: 1, says: 'next picture, or frame of a video' },
  { keys: ['F'], shown: 'F', command: 'picture', by: -1, says: 'picture or frame before' },
  { keys: ['p'], shown: 'p', command: 'film', says: 'play over pictures, or stop' },
  { keys: ['m'], shown: 'm', command: 'mark', says: 'mark a place: draw, type or load one' },
  { keys: ['o'], shown: 'o', command: 'place', says: 'next place that was loaded, or that the answer names' },
  { keys: ['?'], shown: '?', command: 'help', says: 'these keys' },
  { keys: ['Escape'], shown: 'Esc', command: 'clear', says: 'clear: cell, place, range, zoom' },
];

/**
 * What a key means, null for nothing of ours.
 * @param {{key: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean, shiftKey: boolean}} event
 * @param {{tag: string, isText?: boolean}} target  the element that has the focus
 */
export function commandOf(event, target) {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  if (event.shiftKey && event.key.startsWith('Arrow')) return null; // moves the cell that is pointed at
  if (target.isText || ['INPUT', 'SELECT', 'TEXTAREA'].includes(target.tag)) return null;
  if (event.key === ' ' && ['BUTTON', 'SUMMARY', 'A'].includes(target.tag)) return null;
  return KEYS.find(({ keys }) => keys.includes(event.key)) ?? null;
}
