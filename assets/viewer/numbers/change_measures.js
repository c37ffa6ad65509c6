// @ts-check
/**
 * The measures by which two rows of attention are set against each other: what each is called, how its values are written, and
 * whether it asks for attention on the picture. Knows no document.
 */
import { formatPercent, formatValue } from '../data/format.js';
import { isOfRegion, REGION_MEASURES } from './regions.js';

/** @type {Record<string, {text: string, title: string}>} */
const WORDS = {
  js_image: { text: 'distance on the picture', title: 'Jensen-Shannon divergence of the two maps, each divided by its mass on the picture: 0 equal, 1 bit nothing in common' },
  js_row: { text: 'distance of the whole row', title: 'Jensen-Shannon divergence of the two rows, text and pictures: 0 equal, 1 bit nothing in common' },
  tv_image: { text: 'moved on the picture', title: 'total variation of the two maps, each divided by its mass: how much of it lies elsewhere, 0 to 1' },
  tv_row: { text: 'moved of the whole row', title: 'total variation of the two rows: how much attention lies elsewhere, 0 to 1' },
  d_image_mass: { text: 'change of image mass', title: 'how much more of the row is on the picture' },
  d_entropy: { text: 'change of entropy', title: 'how much wider the row is spread, in bits' },
  d_sink_mass: { text: 'change of sink mass', title: "how much more of the row is on the base's sinks" },
  peak_shift: { text: 'shift of the peak', title: 'how far the highest cell moved, in cells' },
  region_share: { text: 'change of share in the place', title: 'how much more of what is read of pictures lies in the place' },
  region_mass: { text: 'change of mass in the place', title: 'how much more of the whole row lies in the place' },
  region_lift: { text: 'change of lift in the place', title: 'how much more is read in the place, as a multiple of its area' },
  region_peak: { text: 'peak into the place', title: 'where the highest cell came into the place (+100 points), or left it (−100)' },
  region_rank: { text: 'change of rank of the place', title: "how many cells more (+) or fewer (−) lie above the place's best one: lower is nearer" },
  region_iou: { text: 'change of overlap with the place', title: 'how much more the highest cells overlap with the place: intersection over union, by area' },
  effect_of_pictures: { text: 'change of effect on the picture', title: 'how much more (−: loses) the answer would change if this head read the pictures a little less, by the forecast' },
  effect_of_silence: { text: 'change of effect of the head', title: 'how much more (−: loses) the answer would change if this head put out nothing, by the forecast' },
};

/** Which score of a forecast each is that is of one. @type {Record<string, string>} */
export const EFFECT_SCORES = { effect_of_pictures: 'image_mass', effect_of_silence: 'silence_zero' };

/** The order in which they are offered: first those that say how far, then those that say which way. */
const ORDER = Object.keys(WORDS);
/** Those that are differences of shares. */
const IN_POINTS = ['d_image_mass', 'd_sink_mass', 'region_share', 'region_mass', 'region_peak'];

/**
 * What can be chosen, in order; measures of a place where there is one.
 * @param {{measures: Record<string, {unit: string}>}} comparison
 * @param {boolean} [hasPlace]
 * @param {{kind: string} | null} [reading]  what is shown instead of what was read
 */
export function offeredMeasures({ measures }, hasPlace = false, reading = null) {
  if (reading) return reading.kind === 'forecast' ? Object.keys(EFFECT_SCORES) : [];
  const place = (/** @type {string} */ name) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  return [...Object.keys(measures).sort((a, b) => place(a) - place(b)), ...(hasPlace ? REGION_MEASURES : [])];
}

/** @param {string} measure */
export function measureText(measure) {
  return WORDS[measure]?.text ?? measure;
}

/** @param {string} measure */
export function measureTitle(measure) {
  return WORDS[measure]?.title ?? measure;
}

/** Whether it is of forecasts. @param {string} measure */
export const isOfEffect = (measure) => measure in EFFECT_SCORES;

/** Whether a measure has two directions. @param {string} measure */
export function isSigned(measure) {
  return measure.startsWith('d_') || isOfRegion(measure) || isOfEffect(measure);
}

/** Whether it is of what lies on the picture, divided by its mass: of next to no mass it says little. @param {string} measure */
export function isOnImage(measure) {
  return measure.endsWith('_image') || measure === 'peak_shift' || (isOfRegion(measure) && measure !== 'region_mass');
}

/**
 * A value as it is written, with its unit.
 * @param {string} measure
 * @param {string} unit
 * @param {number} value
 */
export function formatMeasure(measure, unit, value) {
  if (Number.isNaN(value)) return 'no value';
  if (isOfEffect(measure)) return `${formatSigned(value)} nats`;
  if (IN_POINTS.includes(measure)) return formatPoints(value);
  if (measure === 'region_lift') return `${formatSigned(value)}×`;
  if (measure === 'region_rank') return `${formatSigned(Number(value.toFixed(1)))} places`;
  const text = unit === 'cells' ? String(Number(value.toFixed(1))) : isSigned(measure) ? formatSigned(value) : formatValue(value);
  return unit ? `${text} ${unit}` : text;
}

/** A value with its sign: +0.0123, −0.0123, 0. @param {number} value */
export function formatSigned(value) {
  return value > 0 ? `+${formatValue(value)}` : formatValue(value).replace('-', '−').replace('e−', 'e-');
}

/** A change of a share, in points of a hundred: +16.9 points. @param {number} change */
export function formatPoints(change) {
  const text = formatPercent(Math.abs(change)).replace('\u202f%', '');
  return `${change > 0 ? '+' : change < 0 ? '−' : ''}${text} points`;
}
