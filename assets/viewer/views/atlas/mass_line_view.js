// @ts-check
/** The image mass along the answer, drawn low over its whole width: pointed at it says a token's, clicked it selects the token. */
import { listen, part, placeTip } from '../dom.js';
import { formatPercent } from '../../data/format.js';
import { hasLine, lineWords, makeLine, tokenAt, wordsAt } from '../../numbers/mass_line.js';
import { pointsAtTokens } from '../../data/selection.js';
import { linePath } from '../../data/source.js';

/** So wide is a token's bar at most, in CSS pixels: few of them do not fill the line. */
const WIDEST = 14;

/**
 * @param {Element} root
 * @param {import('../../state/fields.js').ViewerState} state
 * @param {Pick<import('../../state/actions.js').Actions, 'selectToken' | 'extendTo'>} actions
 */
export function createMassLine(root, state, { selectToken, extendTo }) {
  const frame = part(root, 'line');
  const canvas = part(frame, 'line-canvas');
  const title = part(frame, 'line-title');
  const tip = part(frame, 'tip');
  const context = canvas.getContext('2d');
  /** @type {import('../../numbers/mass_line.js').MassLine | null} */
  let line = null;
  let inks = { ground: '', selected: '', bars: '', text: '' };
  let density = 1;
  /** @type {number | null} the token that is pointed at */
  let pointed = null;

  function read() {
    const { info, shown, line: table } = state.get;
    frame.hidden = Boolean(info && (!hasLine(info, state.get.tower) || state.get.reading)); // its place is kept while nobody knows
    const wished = shown && linePath({ tower: shown.tower, name: 'image_mass', layer: shown.layer, head: shown.head });
    if (!info || frame.hidden || !wished) line = null;
    else if (table?.name === wished) line = makeLine(info, table);
    // Until the numbers of another head are there the old line stands, faint.
    frame.classList.toggle('av-stale', Boolean(line) && table?.name !== wished);
    title.textContent = line ? `image mass of the row that predicts each answer token · 0 to ${formatPercent(line.maximum)}` : 'image mass along the answer';
    canvas.setAttribute('aria-label', info && line ? lineWords(info, line) : title.textContent);
    paint();
  }

  function paint() {
    const { width, height } = canvas;
    context.clearRect(0, 0, width, height);
    if (!line || !width) return;
    const { values, maximum, first } = line;
    const each = Math.min(WIDEST * density, width / values.length);
    const edge = (/** @type {number} */ place) => Math.round(place * each);
    const gap = each > 4 * density ? Math.round(density) : 0;
    const { info, selection } = state.get;
    const isToken = info && selection && pointsAtTokens(info, selection);
    const [from, to] = isToken ? [selection.token - first, (selection.until ?? selection.token) - first] : [-1, -1];
    context.fillStyle = inks.ground;
    context.fillRect(0, height - Math.round(density), width, Math.round(density));
    values.forEach((value, place) => {
      const isSelected = place >= from && place <= to;
      const left = edge(place);
      const across = Math.max(Math.round(density), edge(place + 1) - left - gap);
      if (isSelected) {
        context.fillStyle = inks.selected;
        context.globalAlpha = 0.25;
        context.fillRect(left, 0, Math.max(across, 2 * density), height);
        context.globalAlpha = 1;
      }
      if (Number.isNaN(value) || !(maximum > 0)) return;
      const up = Math.max(density, Math.round((value / maximum) * height));
      context.fillStyle = isSelected ? inks.selected : inks.bars;
      context.fillRect(left, height - up, isSelected ? Math.max(across, 2 * density) : across, up);
    });
    if (pointed === null) return;
    context.strokeStyle = inks.text;
    context.lineWidth = Math.round(density);
    const left = edge(pointed - first);
    context.strokeRect(left + density / 2, density / 2, Math.max(2 * density, edge(pointed + 1 - first) - left - density), height - density);
  }

  /** @param {number | null} token */
  function point(token) {
    const { info } = state.get;
    if (token === pointed) return;
    pointed = token;
    tip.hidden = token === null || !line || !info;
    if (token !== null && line && info) {
      tip.textContent = wordsAt(info, line, token);
      const each = Math.min(WIDEST, canvas.width / density / line.values.length);
      placeTip(tip, { x: (token - line.first) * each, y: canvas.offsetTop, width: each, height: canvas.clientHeight }, frame.clientWidth);
    }
    paint();
  }

  /** @param {MouseEvent} event */
  function under({ clientX }) {
    const box = canvas.getBoundingClientRect();
    return line && tokenAt(line, (clientX - box.left) / Math.min(box.width, WIDEST * line.values.length));
  }

  // Read when they change, so that painting asks nothing of the layout.
  function readInks() {
    const style = getComputedStyle(frame);
    const [ground, selected, bars] = ['--av-line', '--av-accent', '--av-bars'].map((name) => style.getPropertyValue(name));
    inks = { ground, selected, bars, text: style.color };
    paint();
  }

  const sizes = new ResizeObserver(([{ contentRect }]) => {
    density = window.devicePixelRatio || 1;
    Object.assign(canvas, { width: Math.round(contentRect.width * density), height: Math.round(contentRect.height * density) });
    paint();
  });
  sizes.observe(canvas);
  const undo = [
    listen(canvas, {
      pointermove: (/** @type {PointerEvent} */ event) => point(under(event)),
      pointerdown: (/** @type {PointerEvent} */ event) => point(under(event)),
      pointerleave: () => point(null),
      click: (/** @type {MouseEvent} */ event) => {
        const token = under(event);
        if (token === null) return;
        if (event.shiftKey) extendTo(token);
        else selectToken(token);
      },
    }),
    state.on(['info', 'tower', 'shown', 'line', 'reading'], read),
    state.on(['selection'], paint),
    state.on(['theme'], readInks),
    state.on(['info'], () => point(null)),
  ];
  readInks();
  read();
  return {
    dispose: () => {
      sizes.disconnect();
      undo.forEach((end) => end());
    },
  };
}
