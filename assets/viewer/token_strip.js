// @ts-check
/**
 * The tokens as chips, part by part; a click or an arrow key selects one.
 *
 * Each is tinted by what the selected token reads of it, or reads it with, on a scale of its own that ends at the largest of
 * them, and not below TINT_END: what holds next to nothing looks pale. A picture's tokens are one chip, with the sum of theirs.
 */
import { create, listen, part } from './dom.js';
import { formatValue } from './format.js';
import { numbersAreOfTokens, pointsAtTokens, queryOf } from './selection.js';
import { segments } from './token_text.js';

const PAGE = 10;
const TINT_END = 0.05;
const HINTS = { system: 'system prompt', prompt: 'prompt', thinking: 'thinking, written by the model', answer: 'answer, written by the model' };

/**
 * A text whose signs for white space are fainter than the rest.
 * @param {string} text
 */
function inked(text) {
  return text.split(/([·↵␍⇥⍽␣]+)/).filter(Boolean).map((piece, i, all) =>
    /^[·↵␍⇥⍽␣]+$/.test(piece) && all.length > 1 ? create('span', { class: 'av-space', text: piece }) : piece);
}

/**
 * @param {Element} root
 * @param {import('./viewer.js').ViewerState} state
 * @param {{selectToken: (token: number) => void, focusGrid: (grid: number) => void}} actions
 */
export function createTokenStrip(root, state, { selectToken, focusGrid }) {
  const strip = part(root, 'tokens');
  const note = part(root, 'tint-note');
  /** @type {Map<number, HTMLElement>} the chip of every token, several tokens may share one */
  let chipOf = new Map();
  /** @type {HTMLElement[]} those that can be selected, in order */
  let order = [];
  /** @type {HTMLElement | undefined} */
  let selected;
  /** @type {HTMLElement | undefined} */
  let reading;

  function build() {
    chipOf = new Map();
    order = [];
    selected = reading = undefined;
    const { info } = state.get;
    strip.scrollTop = 0;
    const tokens = info ? info.tokens : [];
    strip.replaceChildren(...(info ? segments(info) : []).map((segment) => {
      const text = create('div', { class: 'av-text' });
      for (const chip of segment.chips) {
        const element = create('span', {
          class: `av-token${chip.special ? ' av-special' : ''}${chip.kind === 'image' ? ' av-image' : ''}`,
          role: 'option', 'aria-selected': 'false', tabindex: -1, 'data-token': chip.token,
        }, inked(chip.text || '∅'));
        element.dataset.what = chip.kind === 'image'
          ? `tokens ${chip.token} to ${chip.token + chip.count - 1}: one for each cell of the picture`
          : `token ${chip.token}${chip.count > 1 ? ` to ${chip.token + chip.count - 1}` : ''}, ${tokens[chip.token].role}`;
        if (chip.kind === 'image') element.dataset.grid = String(chip.grid);
        else order.push(element);
        for (let i = 0; i < chip.count; i++) chipOf.set(chip.token + i, element);
        text.append(element);
        if (chip.breaks) text.append(document.createElement('br'));
      }
      return create('div', { class: `av-segment av-${segment.role}`, role: 'group', 'aria-label': HINTS[segment.role] }, [
        create('span', { class: 'av-role', 'aria-hidden': 'true', text: segment.role }), text,
      ]);
    }));
  }

  function mark() {
    const { info, selection } = state.get;
    for (const [element, name] of /** @type {const} */ ([[selected, 'av-selected'], [reading, 'av-reading']])) element?.classList.remove(name);
    selected?.setAttribute('aria-selected', 'false');
    selected?.setAttribute('tabindex', '-1');
    selected = reading = undefined;
    if (!info || !selection || !pointsAtTokens(selection)) return;
    selected = chipOf.get(selection.token);
    reading = chipOf.get(queryOf(info, selection));
    selected?.classList.add('av-selected');
    selected?.setAttribute('aria-selected', 'true');
    selected?.setAttribute('tabindex', '0');
    if (reading !== selected) reading?.classList.add('av-reading');
    reveal(selected);
  }

  /** Tint every chip by the numbers on screen; what is said of a chip when it is pointed at has its number too. */
  function tint() {
    const { shown } = state.get;
    const chips = new Set(chipOf.values());
    const values = new Map();
    if (shown && numbersAreOfTokens(shown)) chipOf.forEach((chip, token) => values.set(chip, (values.get(chip) ?? 0) + shown.row[token]));
    // The picture's sum is another measure than one token's value, and would drown the words.
    const end = Math.max(TINT_END, ...[...values].filter(([chip]) => chip.dataset.grid === undefined).map(([, value]) => value));
    for (const chip of chips) {
      const value = values.get(chip);
      const share = value === undefined || chip.dataset.grid !== undefined ? 0 : Math.sqrt(value / end);
      chip.style.setProperty('--av-tint', `${Math.round(90 * share)}%`);
      chip.title = chip.dataset.what + (value === undefined ? '' : ` · ${formatValue(value)}`);
    }
    const what = shown?.direction === 'read by' ? 'how much each token reads it' : 'what it reads of each token';
    note.textContent = values.size ? `tint: ${what}, 0 to ${formatValue(end)}, by the square root` : '';
  }

  /** Scroll the strip, and nothing else, until a chip is in it. @param {HTMLElement | undefined} chip */
  function reveal(chip) {
    if (!chip) return;
    const top = chip.offsetTop - strip.scrollTop;
    if (top >= 0 && top + chip.offsetHeight <= strip.clientHeight) return;
    strip.scrollTop = chip.offsetTop - (strip.clientHeight - chip.offsetHeight) / 2;
  }

  /** @param {HTMLElement | null | undefined} chip */
  function choose(chip) {
    if (!chip) return;
    if (chip.dataset.grid !== undefined) focusGrid(Number(chip.dataset.grid));
    else selectToken(Number(chip.dataset.token));
  }

  /** @param {KeyboardEvent} event */
  function step(event) {
    const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -PAGE, PageDown: PAGE, Home: -Infinity, End: Infinity };
    const move = moves[/** @type {keyof typeof moves} */ (event.key)];
    if (move === undefined || !order.length || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const here = selected ? order.indexOf(selected) : -1;
    choose(order[Math.min(order.length - 1, Math.max(0, here + move))]);
    selected?.focus({ preventScroll: true });
  }

  /** The place in `order` of the chip before or after a token that is none itself, as a picture's. @param {number} token @param {number} by */
  function nearest(token, by) {
    const after = order.findIndex((chip) => Number(chip.dataset.token) > token);
    return by > 0 ? (after < 0 ? order.length - 1 : after) : Math.max(0, (after < 0 ? order.length : after) - 1);
  }

  const undo = [
    listen(strip, {
      click: (/** @type {MouseEvent} */ event) => choose(/** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest('.av-token'))),
      keydown: step,
    }),
    state.on(['info'], build),
    state.on(['info', 'selection'], mark),
    state.on(['info', 'shown'], tint),
  ];

  return {
    /**
     * The tokens that can be selected next to one, before and after it.
     * @param {number} token
     */
    neighbours(token) {
      const here = order.indexOf(/** @type {HTMLElement} */ (chipOf.get(token)));
      return [order[here + 1], order[here - 1]].filter(Boolean).map((chip) => Number(chip.dataset.token));
    },
    /** The token that can be selected some steps beside one. @param {number} token @param {number} by */
    beside(token, by) {
      const here = order.indexOf(/** @type {HTMLElement} */ (chipOf.get(token)));
      const next = here < 0 ? nearest(token, by) : Math.min(order.length - 1, Math.max(0, here + by));
      return order[next] ? Number(order[next].dataset.token) : token;
    },
    dispose: () => undo.forEach((end) => end()),
  };
}
