// @ts-check
/**
 * Sentences on the places that an answer names: in which space its numbers were read, and what says so. The same words as in
 * `attention/coordinates.py`. Knows no document.
 *
 * @typedef {import('../data/run_info.js').RunInfo} RunInfo
 * @typedef {import('../data/run_info.js').Picture} Picture
 * @typedef {{image: number, coordinates?: string | null, because?: string | null}} Said  of a place
 */
import { cellBox } from '../paint/geometry.js';
import { placeCount, placesOn } from '../data/run_info.js';

/** @type {Record<string, string>} */
const PARTS = { '0-1': 'shares of the sides', '0-100': 'hundredths of the sides', '0-1000': 'thousandths of the sides' };

/** @type {Record<string, (family: string) => string>} */
const BECAUSE = {
  setting: () => 'as set', form: () => 'as its form says', prompt: () => 'as the prompt says', numbers: () => 'as all lie between 0 and 1', family: (family) => `the habit of ${family}`,
};

/** A space in words. @param {string} space @param {Picture} picture */
export function spaceWords(space, { width, height, read_width, read_height }) {
  if (space in PARTS) return PARTS[space];
  if (space.startsWith('0-')) return `parts of the sides, 0 to ${Number(space.slice(2)).toLocaleString('en')}`;
  if (space === 'read') return read_width && read_height ? `pixels of the ${read_width}x${read_height} that the model saw` : 'pixels as the model saw it';
  return space === 'original' ? `pixels of the picture as given, ${width}x${height}` : `pixels of ${space}`;
}

/** A space in a few signs, for a label: "0–1000", "px of 1366×768". @param {string} space @param {Picture} picture */
export function spaceLabel(space, { width, height, read_width, read_height }) {
  if (space.startsWith('0-')) return space.replace('-', '–');
  const size = space === 'original' ? `${width}×${height}` : space === 'read' ? `${read_width}×${read_height}` : space.replace('x', '×');
  return `px of ${size}`;
}

/**
 * The same places, of which the first of each space says in `numbers` how they were read: it stands beside its mark.
 * @template {Said} Place
 * @param {Place[]} places  on one picture
 * @param {Picture} picture
 * @param {Set<string>} [said]  spaces that others say already
 * @returns {(Place & {numbers?: string})[]}
 */
export function withNumbers(places, picture, said = new Set()) {
  return places.map((place) => {
    const { coordinates } = place;
    if (!coordinates || said.has(coordinates)) return place;
    said.add(coordinates);
    return { ...place, numbers: spaceLabel(coordinates, picture) };
  });
}

/** "read as thousandths of the sides"; '' where a run does not say it. @param {RunInfo} info @param {Said} place */
export function readAs(info, { image, coordinates }) {
  return coordinates ? `read as ${spaceWords(coordinates, info.images[image])}` : '';
}

/** The same with what says so. @param {RunInfo} info @param {Said} place */
export function readAsBecause(info, place) {
  const because = BECAUSE[place.because ?? '']?.(info.model.family ?? 'this model’s family');
  return [readAs(info, place), because].filter(Boolean).join(', ');
}

/**
 * What is said of a cell in which a place of the answer lies, or through which its frame goes; '' where there is none.
 * @param {RunInfo} info
 * @param {import('../data/run_info.js').Grid} grid
 * @param {import('../paint/marks.js').Cell} cell
 * @param {boolean} isChosen  the picture is that on which places of no picture are drawn
 */
export function placesInCell(info, grid, { row, col }, isChosen) {
  const [left, top, right, bottom] = cellBox(grid, row, col);
  const { points, boxes } = placesOn(info, grid.image, isChosen);
  const within = (/** @type {any} */ { x, y }) => left <= x && x < right && top <= y && y < bottom;
  const crosses = (/** @type {any} */ { x0, y0, x1, y1 }) =>
    x0 < right && x1 > left && y0 < bottom && y1 > top && !(x0 < left && x1 > right && y0 < top && y1 > bottom);
  const here = [...points.filter(within), ...boxes.filter(crosses)];
  return [...new Set(here.map((place) => {
    const name = place.label ? `“${place.label}”` : 'x' in place ? 'the answer’s point' : 'the answer’s box';
    const guess = place.ambiguous ? `a guess: ${place.ambiguous}` : '';
    return [name, [readAsBecause(info, place), guess].filter(Boolean).join('; ')].filter(Boolean).join(' ');
  }))].join(' · ');
}

/**
 * What is to be said beside the picture of places that are drawn otherwise than one may think, and the reasons; '' where there is nothing.
 * @param {import('../data/run_info.js').ReadInfo} info
 * @param {string} coordinates  what was chosen; `run`: as the run has it
 */
export function placesApart(info, coordinates) {
  const outside = (info.named_places ?? 0) - placeCount(info);
  const placed = [...(info.points ?? []), ...(info.boxes ?? [])];
  const guessed = placed.filter(({ ambiguous }) => ambiguous);
  const many = (/** @type {number} */ count, /** @type {string} */ words) => (count > 0 ? [`${count} place${count === 1 ? '' : 's'} ${words}`] : []);
  const [first] = placed;
  const chosen = coordinates !== 'run' && first ? [readAs(info, first)] : [];
  return {
    words: [...many(outside, 'outside the picture'), ...many(guessed.length, 'by a guess'), ...chosen].join(' · '),
    why: [...new Set([...guessed.map(({ ambiguous }) => `${ambiguous}`), ...(info.place_notes ?? [])])],
  };
}
