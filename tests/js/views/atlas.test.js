import assert from 'node:assert/strict';
import test from 'node:test';

import { isNarrow, LABEL_PX, layOutAtlas, RIBBON_PX } from '../../../assets/viewer/paint/atlas_layout.js';
import { skippedLayers } from '../../../assets/viewer/data/run_info.js';
import { barAt, mapAt } from '../../../assets/viewer/paint/map_layout.js';
import { withoutMaps } from '../../../assets/viewer/text/layers.js';
import { atlasPath, scoresPath } from '../../../assets/viewer/data/source.js';
import { wantedAtlas, wantedScores } from '../../../assets/viewer/state/follow.js';
import { atlasTitle, whyNoMaps } from '../../../assets/viewer/text/atlas.js';
import { heldNow, viewOf } from '../../../assets/viewer/views/atlas/atlas_maps.js';

const ROOM = { width: 900, height: 500, density: 2, layers: 12, heads: 8, reduced: { layers: 1, heads: 2 }, view: 'all', items: 130, aspect: 1.5, hasRibbon: true };

test('on axes every layer and its mean have a column, above which the ribbon goes on or beside which it stands', () => {
  const { axes, lines, canvas, size, ribbon } = layOutAtlas(ROOM);
  assert.equal(lines, null);
  assert.deepEqual([axes.x.length, axes.y.length], [13, 10]);
  assert.ok(canvas.width <= 2 * ROOM.width && canvas.height <= 2 * ROOM.height);
  assert.equal(canvas.height, axes.height + 2 * LABEL_PX.bottom);
  assert.ok(Math.abs(size.width / size.height - ROOM.aspect) < 0.15);
  if (ribbon.beside) assert.ok(ribbon.beside.left * 2 >= canvas.width);
  else assert.deepEqual([...ribbon.columns.x], [...axes.x]);
});

test('below many layers the ribbon has the columns of the maps, beside a few it has its own, with labels', () => {
  const many = layOutAtlas({ ...ROOM, layers: 36, heads: 8 }).ribbon;
  assert.deepEqual([many.beside, many.columns.isLabelled, many.columns.x.length], [undefined, false, 37]);
  const few = layOutAtlas({ ...ROOM, layers: 3, heads: 12 }).ribbon;
  assert.ok(few.beside && few.columns.isLabelled);
  assert.ok(few.columns.x.at(-1) + few.columns.barWidth <= few.columns.width);
});

test('on a narrow page nothing stands beside, and maps keep a size for a thumb', () => {
  const narrow = { ...ROOM, width: 360, layers: 36 };
  assert.ok(isNarrow(narrow) && !isNarrow(ROOM));
  const { ribbon, size, canvas } = layOutAtlas(narrow);
  assert.deepEqual([ribbon.beside, ribbon.hasLegendAside], [undefined, false]);
  assert.ok(size.width >= 2 * 20 && canvas.width > 2 * narrow.width);
});

test('in lines all maps of a layer are shown, of the best as many as stay large', () => {
  const layer = layOutAtlas({ ...ROOM, view: 'layer', items: 10 });
  assert.deepEqual([layer.axes, layer.most, layer.lines.x.length], [null, 10, 10]);
  const best = layOutAtlas({ ...ROOM, view: 'best', items: 96, width: 560, height: 260 });
  assert.ok(best.most >= 12 && best.most < 96);
  assert.ok(best.size.width >= 2 * 76);
});

test('layers without a map are bars beside the columns of maps, and none of it is a map', () => {
  const skips = [true, ...Array(11).fill(false), true]; // before the first, and after the last
  const plain = layOutAtlas({ ...ROOM, hasRibbon: false }).axes;
  const { axes, canvas } = layOutAtlas({ ...ROOM, skips, hasRibbon: false });
  assert.deepEqual(axes.bars.map(({ column }) => column), [0, 12]);
  assert.deepEqual([plain.bars, canvas.width <= 2 * ROOM.width], [[], true]);
  for (const { x, width, column } of axes.bars) {
    const top = Math.floor(column / axes.perShelf) * axes.shelfStep;
    assert.ok(width > 0 && x + width < axes.x[column] && (column % axes.perShelf === 0 || x > axes.x[column - 1] + axes.mapWidth));
    assert.deepEqual([barAt(axes, x, top), barAt(axes, x + width, top), mapAt(axes, x, top)], [column, -1, null]);
  }
  assert.deepEqual(mapAt(axes, axes.x[0], 0), { layer: 0, head: 0 });
});

test('what has no map is said by layer and kind', () => {
  const info = { towers: { language: { layers: [{ index: 0, kind: 'linear' }, { index: 1, kind: 'linear' }, { index: 2, file: 'a' }, { index: 3, kind: 'convolution', file: null }] } } };
  const skipped = skippedLayers(info, 'language');
  assert.deepEqual(skipped.map((some) => some.length), [2, 1]);
  assert.deepEqual(skipped.map(withoutMaps), ['Layers 0 to 1: linear attention, no map', 'Layer 3: a convolution, no map']);
});

test('without maps the ribbon stands alone', () => {
  const { canvas, axes, lines, ribbon } = layOutAtlas({ ...ROOM, aspect: null, items: 0 });
  assert.deepEqual([canvas, axes, lines, ribbon.columns.isLabelled, ribbon.hasLegendAside], [null, null, null, true, true]);
  assert.equal(ribbon.columns.bars, 2 * RIBBON_PX.bars);
});

const INFO = {
  grids: [{ image: 0, tower: 'language', kind: 'whole', box_px: [0, 0, 4, 4], rows: 1, cols: 2 }], images: [{}], tokens: [{ grid: null }],
  towers: { language: { heads: 2, keys: 1, queries: [0], layers: [{ index: 0, file: 'a' }, { index: 3, file: 'b' }] } },
};
const SHOWN = { effect: null, tower: 'language', direction: 'reads', query: 0, until: null, token: 0, layer: 3, head: 0, grid: 0, cells: Float32Array.of(1, 2) };
const FIELDS = { reading: null, info: INFO, tower: 'language', grid: 0, shown: SHOWN, atlas: null, scores: null, order: 'number', pinned: null, selection: SHOWN, atlasView: 'all', scale: 'map', clip: 99 };
const ATLAS = { name: atlasPath(wantedAtlas(INFO, SHOWN)), tower: 'language', grid: 0, isEffect: false };

test('until all maps of a row are there, the last whole stays', () => {
  const first = heldNow(null, { ...FIELDS, atlas: ATLAS });
  assert.deepEqual([first.isStale, first.held.layers, first.held.atlas], [false, [0, 3], ATLAS]);
  assert.equal(heldNow(first.held, { ...FIELDS, atlas: ATLAS }).held, first.held, 'nothing has changed');
  const waiting = heldNow(first.held, { ...FIELDS, atlas: { ...ATLAS, name: 'of another row' } });
  assert.deepEqual([waiting.held === first.held, waiting.isStale], [true, true]);
  const next = { ...ATLAS };
  assert.deepEqual([heldNow(first.held, { ...FIELDS, atlas: next }).held.atlas === next, heldNow(first.held, { ...FIELDS, atlas: next }).isStale], [true, false]);
  assert.deepEqual(heldNow(first.held, { ...FIELDS, info: null }), { held: null, isStale: false });
});

test('heads come in the order of the scores that were asked for, not of others', () => {
  const ordered = { ...FIELDS, atlas: ATLAS, order: 'image_mass' };
  const name = scoresPath(wantedScores(INFO, SHOWN, 'image_mass', null));
  const { held } = heldNow(null, { ...ordered, scores: { name, values: Float32Array.of(0.1, 0.4, 0.3, 0.2) } });
  assert.deepEqual(held.ranks.map((ranks) => [...ranks]), [[1, 0], [0, 1], [1, 0]], 'and of the mean over layers');
  assert.equal(heldNow(null, { ...ordered, scores: { name: 'of another row', values: Float32Array.of(1, 2, 3, 4) } }).held.ranks, null);
});

test('what patches receive is shown layer by layer', () => {
  assert.equal(viewOf({ selection: { direction: 'received' }, atlasView: 'all' }), 'layer');
  assert.equal(viewOf({ selection: { direction: 'reads' }, atlasView: 'best' }), 'best');
});

test('the title says which maps these are, in which order and on which scale', () => {
  const { held } = heldNow(null, { ...FIELDS, atlas: ATLAS });
  assert.deepEqual(atlasTitle(held, 12, FIELDS), {
    text: 'layers → heads ↓ · each on its own scale',
    hint: 'layers → heads ↓ · each on its own scale; the bar on its lower edge: how much of the row is on the picture; the top 1 % share the last colour',
  });
  assert.match(atlasTitle({ ...held, ranks: [], order: 'image_mass' }, 12, { ...FIELDS, scale: 'atlas' }).text, /^layers → heads by .*, highest first ↓ · all on one scale$/);
  assert.match(atlasTitle({ ...held, view: 'best', order: 'image_mass' }, 3, FIELDS).text, /^3 of 4 · highest /);
  assert.match(atlasTitle({ ...held, view: 'layer' }, 3, { ...FIELDS, scale: 'uniform' }).text, /^heads of layer 3, cell by cell · multiples/);
  assert.match(atlasTitle({ ...held, view: 'layer', shown: { layer: 'mean' } }, 3, { ...FIELDS, scale: 'uniform', selection: { direction: 'read by' } }).text, /^heads of the mean over layers, .* own scale/);
});

test('where there are no maps it is said why', () => {
  const { held } = heldNow(null, { ...FIELDS, atlas: ATLAS });
  const why = (more, fields = {}) => whyNoMaps(more && { ...held, ...more }, { order: 'number', pinned: null, ...fields });
  assert.match(why(null), /appears here/);
  assert.match(why({ grid: null }), /no token of this tower has a place/i);
  assert.match(why({ grid: null, info: { ...INFO, images: [] } }), /No picture/);
  assert.match(why({ shown: { ...SHOWN, cells: [] } }), /read nothing/);
  assert.match(why({ view: 'layer' }), /Choose a layer/);
  assert.match(why({ view: 'best' }), /Choose an order/);
  assert.match(why({ view: 'best', order: 'value' }), /Pin a cell/);
  assert.match(why({ view: 'best', order: 'entropy' }, { order: 'entropy' }), /not here yet/);
  assert.match(why({ view: 'best', shown: { ...SHOWN, direction: 'read by' } }), /Scores are of rows/);
});
