import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { marksOf } from '../../../assets/viewer/paint/marks.js';
import { placesApart, placesInCell, readAsBecause, spaceLabel, spaceWords, withNumbers } from '../../../assets/viewer/text/places.js';
import { readWithLess, tokensForAll } from '../../../assets/viewer/text/read_with_less.js';
import { createPlaceReading } from '../../../assets/viewer/state/place_reading.js';
import { createState } from '../../../assets/viewer/state/state.js';
import { keptView } from '../../../assets/viewer/numbers/export_paths.js';

const GOLDEN = JSON.parse(readFileSync(new URL('../../golden/place_words.json', import.meta.url), 'utf8'));
const PICTURE = { width: 1920, height: 1080, read_width: 1366, read_height: 768 };
const GRID = { image: 0, tower: 'language', box_px: [0, 0, 1920, 1080], rows: 4, cols: 4 };
const POINT = { image: 0, x: 500, y: 100, label: 'Save', coordinates: '0-1000', because: 'family' };
const BOX = { image: 0, x0: 490, y0: 280, x1: 1400, y1: 800, label: '', coordinates: 'read', because: 'setting' };
const infoOf = (changes) => ({ images: [PICTURE], model: { id: 'm', family: 'Qwen3-VL' }, points: [POINT], boxes: [], unplaced: [], named_places: 1, ...changes });

test('a space, a reason and fewer tokens are said in the words of the package', () => {
  for (const [space, words] of GOLDEN.spaces) assert.equal(spaceWords(space, PICTURE), words);
  for (const [because, words] of Object.entries(GOLDEN.because)) assert.equal(readAsBecause(infoOf(), { image: 0, because }), words);
  for (const [counts, sentences] of GOLDEN.tokens) {
    assert.deepEqual(readWithLess({ images: counts.map(([visual_tokens, own_visual_tokens, video]) => ({ ...PICTURE, visual_tokens, own_visual_tokens, video })) }), sentences);
  }
});

test('beside a mark a space is a few signs', () => {
  const said = ['0-1', '0-1000', '0-1024', 'read', 'original', '1280x720'].map((space) => spaceLabel(space, PICTURE));
  assert.deepEqual(said, ['0–1', '0–1000', '0–1024', 'px of 1366×768', 'px of 1920×1080', 'px of 1280×720']);
});

test('a place says what it was read as, and why; one of an older run says nothing', () => {
  assert.equal(readAsBecause(infoOf(), POINT), 'read as thousandths of the sides, the habit of Qwen3-VL');
  assert.equal(readAsBecause(infoOf(), BOX), 'read as pixels of the 1366x768 that the model saw, as set');
  assert.equal(readAsBecause(infoOf(), { image: 0 }), '');
});

test('the cell in which a point lies, and those through which a frame goes, say so', () => {
  const info = infoOf({ boxes: [BOX] });
  const said = (row, col) => placesInCell(info, GRID, { row, col }, false);
  assert.equal(said(0, 1), '“Save” read as thousandths of the sides, the habit of Qwen3-VL');
  assert.equal(said(1, 1), 'the answer’s box read as pixels of the 1366x768 that the model saw, as set');
  assert.equal(said(3, 3), '');
  const whole = infoOf({ points: [], boxes: [{ ...BOX, x0: 0, y0: 0, x1: 1920, y1: 1080 }] });
  assert.deepEqual([[0, 1], [1, 1]].map(([row, col]) => placesInCell(whole, GRID, { row, col }, false) !== ''), [true, false], 'a cell inside has no line of it');
  const guess = infoOf({ points: [{ ...POINT, ambiguous: '0 to 1 assumed' }] });
  assert.ok(placesInCell(guess, GRID, { row: 0, col: 1 }, false).endsWith('; a guess: 0 to 1 assumed'));
});

test('the first mark of each space has it in its label, after a name that is cut, before the guess', () => {
  const [first, second, third] = withNumbers([POINT, { ...POINT, label: '' }, { ...POINT, coordinates: '0-1', ambiguous: '0 to 1 assumed', label: 'x'.repeat(50) }], PICTURE);
  assert.deepEqual([first.numbers, second.numbers, third.numbers], ['0–1000', undefined, '0–1']);
  const place = { left: 0, top: 0, width: 960, height: 540 };
  const labels = marksOf({ points: [first, second, third], boxes: [] }, PICTURE, place, { width: 960, height: 540 }).map(({ label, isGuess }) => [label, isGuess]);
  assert.deepEqual(labels, [['Save (0–1000)', false], ['', false], [`${'x'.repeat(31)}… (0–1; 0 to 1 assumed)`, true]]);
});

test('places that lie outside, rest on a guess or were read anew are told', () => {
  assert.deepEqual(placesApart(infoOf(), 'run'), { words: '', why: [] });
  const outside = infoOf({ points: [], named_places: 2, place_notes: ['They lie outside.'] });
  assert.deepEqual(placesApart(outside, '0-1'), { words: '2 places outside the picture', why: ['They lie outside.'] });
  const guess = infoOf({ points: [{ ...POINT, ambiguous: '0 to 1 assumed' }] });
  assert.deepEqual(placesApart(guess, 'run'), { words: '1 place by a guess', why: ['0 to 1 assumed'] });
  assert.equal(placesApart(infoOf({ boxes: [BOX], points: [] }), 'read').words, 'read as pixels of the 1366x768 that the model saw');
  assert.equal(placesApart(infoOf({ named_places: undefined }), 'run').words, '', 'an older run');
});

// Read anew

function reading(answer) {
  const asked = [];
  const source = { places: (coordinates) => { asked.push(coordinates); return answer(coordinates); } };
  const info = infoOf();
  const state = createState({ coordinates: 'run', info, notice: '' });
  createPlaceReading(state, { runs: () => ({ sources: [source], infos: state.get.info ? [state.get.info] : [] }), show: ([next]) => state.set({ info: next }) });
  return { state, info, asked, settled: () => new Promise((resolve) => { setImmediate(resolve); }) };
}

test('another space is asked for once, takes the place of what the run has, and goes again', async () => {
  const places = (coordinates) => ({ points: [{ ...POINT, coordinates }], boxes: [], unplaced: [], named_places: 1, notes: ['said'] });
  const { state, info, asked, settled } = reading(async (coordinates) => places(coordinates));
  state.set({ coordinates: 'read' });
  await settled();
  assert.deepEqual([state.get.info.points[0].coordinates, state.get.info.place_notes, asked], ['read', ['said'], ['read']]);
  state.set({ coordinates: '0-1' });
  await settled();
  assert.equal(state.get.info.points[0].coordinates, '0-1');
  state.set({ coordinates: 'run' });
  assert.equal(state.get.info, info, 'the run itself');
  assert.deepEqual(asked, ['read', '0-1']);
});

test('what comes too late is not shown, and what cannot be read is said', async () => {
  let answer;
  const late = reading(() => new Promise((resolve) => { answer = resolve; }));
  late.state.set({ coordinates: 'read' });
  late.state.set({ coordinates: 'run' });
  answer({ points: [], boxes: [], unplaced: [], named_places: 1, notes: [] });
  await late.settled();
  assert.equal(late.state.get.info, late.info);
  const refused = reading(() => Promise.reject(new Error('It is an older run.')));
  refused.state.set({ coordinates: 'read' });
  await refused.settled();
  assert.deepEqual([refused.state.get.coordinates, refused.state.get.notice, refused.state.get.info], ['run', 'It is an older run.', refused.info]);
});

test('a file that is kept has the places as they are on screen', () => {
  const look = (fields) => keptView({ shown: { cells: [1], grid: 0 }, drawn: { range: {} }, unplacedOn: null, ...fields }).look;
  assert.equal(look({ places: true, coordinates: 'read' }).coordinates, 'read');
  assert.deepEqual([look({ places: true, coordinates: 'run' }), look({ places: false, coordinates: 'read' })].map((each) => 'coordinates' in each), [false, false]);
});

// Visual tokens

test('all tokens of all pictures are asked for', () => {
  const images = (...counts) => ({ images: counts.map(([visual_tokens, own_visual_tokens, video]) => ({ ...PICTURE, visual_tokens, own_visual_tokens, video })) });
  assert.equal(tokensForAll(images([10, 20], [100, 2040], [50, 50], [undefined, undefined])), 2040);
});
