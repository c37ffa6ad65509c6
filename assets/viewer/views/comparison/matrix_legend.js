// @ts-check
/** What the colours of the matrix mean, with numbers; and those of the weights below it. */
import { create } from '../dom.js';
import { formatPercent } from '../../data/format.js';
import { formatMeasure, isSigned } from '../../numbers/change_measures.js';

const LITTLE = 'in the row of one of the two: what is said of the picture says little there';
const WEIGHTS = 'how much of each weight is changed: Frobenius norm of the change over that of the base weight, at strength 1; a dot: not changed';

/** @type {Record<string, string>} what the letters beside the rows of weights stand for */
const PROJECTIONS = { q: 'q: query', k: 'k: key', v: 'v: value', o: 'o: output' };

/**
 * @param {import('../../state/matrix.js').HeldMatrix | null} held  null where nothing is known of heads
 * @param {import('../../numbers/change_matrix.js').Weights | null} weights
 * @param {string} unit  of the measure
 * @param {Uint32Array} colours  256 of them
 * @param {{isHidden: boolean, hide: (isHidden: boolean) => void}} noise  whether heads below the noise floor are left empty
 * @returns {HTMLElement[]}
 */
export function legendOf(held, weights, unit, colours, noise) {
  if (!held) return ofWeights(weights);
  const { measure, values, high, faint, below } = held;
  const count = (/** @type {(value: number, i: number) => boolean} */ is) => values.reduce((total, value, i) => total + Number(is(value, i)), 0);
  const none = count((value) => Number.isNaN(value));
  const pale = count((value, i) => Boolean(faint[i]) && !Number.isNaN(value));
  const ends = [isSigned(measure) ? formatMeasure(measure, unit, -high) : '0', formatMeasure(measure, unit, high)];
  const scale = high > 0
    ? create('span', { class: 'av-matrix-scale' }, [ends[0], barOf(colours), ends[1]]) : create('span', { text: 'exactly 0 everywhere' });
  return [
    scale,
    ...(none ? [create('span', { text: `${none} hatched: no value` })] : []),
    ...(pale ? [create('span', { text: `${pale} faint: image mass under 1\u202f%`, title: LITTLE })] : []),
    ...(below ? [ofNoise(count((value, i) => Boolean(below[i]) && !Number.isNaN(value)), values.length, noise)] : []),
    ...ofWeights(weights),
  ];
}

/** How many heads moved no more than noise, as the switch that leaves them empty. @param {number} count @param {number} all @param {Parameters<typeof legendOf>[4]} noise */
function ofNoise(count, all, { isHidden, hide }) {
  const button = create('button', { type: 'button', class: 'av-link av-noise', 'aria-pressed': isHidden, text: `${count} of ${all} below the noise floor${isHidden ? ': left empty' : ''}` });
  button.title = isHidden ? 'show them again' : 'leave them empty in the matrix, and out of the list';
  button.addEventListener('click', () => hide(!isHidden));
  return button;
}

/** @param {Uint32Array} colours */
function barOf(colours) {
  const bar = create('canvas', { width: 64, height: 1, 'aria-hidden': 'true', class: 'av-matrix-bar' });
  const image = new ImageData(64, 1);
  new Uint32Array(image.data.buffer).set(Uint32Array.from({ length: 64 }, (_, i) => colours[Math.min(255, i * 4 + 2)]));
  bar.getContext('2d')?.putImageData(image, 0, 0);
  return bar;
}

/** @param {import('../../numbers/change_matrix.js').Weights | null} weights */
function ofWeights(weights) {
  if (!weights) return [create('span', { class: 'av-weights-note', text: 'what it changes of the weights is not known here' })];
  const { parts, maximum, elsewhere } = weights;
  const touched = parts.length ? ['weights: 0', create('i', { class: 'av-weights-bar' }), `${formatPercent(maximum)} changed`] : ['no weight of this tower is changed'];
  const named = parts.map((part) => PROJECTIONS[part.replace('_proj', '')]).filter(Boolean);
  return [
    create('span', { class: 'av-matrix-scale', title: WEIGHTS }, touched),
    ...(named.length ? [create('span', { class: 'av-matrix-parts', text: `${named.length > 1 ? `${named.slice(0, -1).join(', ')} and ${named[named.length - 1]}` : named[0]} weights, by layer` })] : []),
    ...(elsewhere.length ? [create('span', { text: `also changed: ${elsewhere.join(', ')}` })] : []),
  ];
}
