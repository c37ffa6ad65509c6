import assert from 'node:assert/strict';
import test from 'node:test';

import { exportPath, fileName, keptView, reasonAgainst } from '../../../assets/viewer/numbers/export_paths.js';

const shown = { tower: 'language', direction: 'reads', query: 69, until: null, layer: 12, head: 3, grid: 0, cells: new Float32Array(6) };
const drawn = { values: shown.cells, hidden: null, range: { low: 0, high: 3.25e-7, curve: 'log', unit: 'uniform', factor: 2, maximum: 1, clipped: 0 } };
const clip = 95;
const look = { palette: 'magma', opacity: 0.8, sinks: 'masked', smooth: true, places: false };
const fields = { shown, drawn, ...look, clip };
const asked = (path) => Object.fromEntries(new URLSearchParams(path.split('?')[1]));

test('the view is what is painted: the range of the colours in its unit', () => {
  const view = keptView(fields);
  assert.deepEqual(view, {
    tower: 'language', direction: 'reads', query: 69, until: null, layer: 12, head: 3, grid: 0,
    look: { ...look, low: 0, high: 3.25e-7, curve: 'log', unit: 'uniform' }, clip,
  });
  assert.equal(keptView({ ...fields, shown: null }), null);
  assert.equal(keptView({ ...fields, shown: { ...shown, cells: new Float32Array() }, drawn: null }).grid, null);
});

test('a figure says how it looks, a PNG its size, numbers neither', () => {
  const view = keptView(fields);
  const one = { tower: 'language', layer: '12', head: '3', query: '69', grid: '0' };
  const how = { palette: 'magma', opacity: '0.8', low: '0', high: '3.25e-7', unit: 'uniform', curve: 'log', sinks: 'masked', smooth: '1', places: '0' };
  assert.deepEqual(asked(exportPath(view, 'svg')), { format: 'svg', ...one, ...how });
  assert.deepEqual(asked(exportPath(view, 'png', { scale: 4, caption: true })), { format: 'png', ...one, ...how, scale: '4', caption: '1' });
  assert.deepEqual(asked(exportPath(view, 'card', { scale: 4, caption: true })), { format: 'card', ...one, ...how, clip: '95' }, 'a card has a size of its own');
  assert.deepEqual(asked(exportPath(view, 'npz')), { format: 'npz', ...one });
  assert.deepEqual(asked(exportPath(view, 'csv')), { format: 'csv', ...one });
});

test('a figure has the places of no picture on the picture that a person chose', () => {
  assert.equal(asked(exportPath(keptView({ ...fields, places: true, unplacedOn: 1 }), 'svg')).places_on, '2');
  assert.ok(!('places_on' in asked(exportPath(keptView({ ...fields, places: true, unplacedOn: null }), 'svg'))));
  assert.ok(!('places_on' in asked(exportPath(keptView({ ...fields, unplacedOn: 1 }), 'svg'))), 'none are drawn');
});

test('columns, spans, reductions, what keys receive; a layer and the run', () => {
  const path = (format, change) => exportPath({ ...keptView(fields), ...change }, format);
  assert.deepEqual(asked(path('csv', { direction: 'read by', until: 72 })), { format: 'csv', tower: 'language', layer: '12', head: '3', key: '69', until: '72', grid: '0' });
  assert.deepEqual(asked(path('npz', { direction: 'received', layer: 'mean', head: 'max' })), { format: 'npz', tower: 'language', layer: 'mean', head: 'max', received: '1', grid: '0' });
  assert.ok(!('grid' in asked(path('csv', { grid: null, look: null }))));
  assert.equal(path('safetensors', { tower: 'vision' }), 'layer/vision/12');
  assert.equal(path('zip', {}), 'export?format=zip');
});

test('a file of effects names the forecast, of all rows no row, and leaves the unit to it', () => {
  const effect = { kind: 'forecast', name: 'f0', tokens: [3], isWhole: true, towers: ['language'], value: -1 };
  const view = keptView({ ...fields, shown: { ...shown, effect, direction: 'received' }, drawn: { ...drawn, range: { ...drawn.range, unit: 'effect', curve: 'linear' } } });
  const { format, reading, unit, query, received, high } = asked(exportPath(view, 'svg'));
  assert.deepEqual([format, reading, unit, query, received, high], ['svg', 'f0', undefined, undefined, undefined, '3.25e-7']);
  assert.deepEqual(asked(exportPath({ ...view, direction: 'reads' }, 'npz')), { format: 'npz', tower: 'language', layer: '12', head: '3', reading: 'f0', query: '69', grid: '0' });
  assert.deepEqual(asked(exportPath(view, 'html')), { format: 'html', layer: '12', head: '3', reading: 'f0' }, 'a file opens with them');
  for (const each of ['png', 'card', 'npz', 'csv', 'html', 'zip']) assert.equal(reasonAgainst(view, each), null, each);
  assert.match(reasonAgainst({ ...view, region: { image: 0, label: '', place: [1, 1] } }, 'region'), /choose Read/);
});

test('what is not to be had says why', () => {
  const view = keptView(fields);
  for (const format of ['png', 'svg', 'pdf', 'card', 'npz', 'csv', 'safetensors', 'zip']) assert.equal(reasonAgainst(view, format), null);
  for (const format of ['svg', 'card']) assert.match(reasonAgainst({ ...view, grid: null }, format), /no picture/);
  assert.match(reasonAgainst({ ...view, direction: 'received' }, 'card'), /none of what patches receive/);
  assert.equal(reasonAgainst({ ...view, grid: null }, 'npz'), null);
  assert.match(reasonAgainst({ ...view, layer: 'mean' }, 'safetensors'), /choose one/);
});

test('a file has the name that the server gives it', () => {
  assert.equal(fileName('attachment; filename="3f2a_language_L12_H3_row69.svg"'), '3f2a_language_L12_H3_row69.svg');
  for (const header of [null, '', 'attachment', 'attachment; filename="../x"']) assert.equal(fileName(header), 'attention');
});

test('a figure has the place that is measured, a table of it all heads, and neither a place that is not to be seen', () => {
  const tokens = [0, 1, 2, 3, 4, 5].map((index) => ({ index, grid: 0, row: Math.floor(index / 3), col: index % 3 }));
  const info = { tokens, towers: { language: {} }, grids: [{ image: 0, tower: 'language', rows: 2, cols: 3, box_px: [0, 0, 30, 20] }], boxes: [{ image: 0, x0: 1, y0: 2, x1: 9, y1: 9.5, label: '<Save>' }] };
  const place = (more) => asked(exportPath(keptView({ ...fields, info, region: null, ...more }), 'svg'));
  assert.equal(place({}).box, undefined, 'the answer names one, and places are not shown');
  const { box, image, label } = place({ places: true });
  assert.deepEqual([box, image, label], ['1,2,9,9.5', '0', '<Save>']);
  assert.equal(place({ region: { image: 0, label: '', place: [29, 3] } }).point, '29,3');
  assert.equal(place({ region: { image: 0, label: '', place: [40, 50] } }).point, undefined, 'the model was not shown it');
  const view = keptView({ ...fields, info, region: { image: 0, label: 'x', place: [1, 1, 4, 4] } });
  assert.deepEqual(asked(exportPath(view, 'region')), { format: 'csv', tower: 'language', query: '69', box: '1,1,4,4', image: '0' });
  assert.equal(asked(exportPath(view, 'html')).box, '1,1,4,4');
  assert.equal(asked(exportPath(view, 'npz')).box, undefined);
  assert.equal(reasonAgainst(view, 'region'), null);
  assert.match(reasonAgainst(keptView(fields), 'region'), /Mark a place first/);
  assert.match(reasonAgainst({ ...view, direction: 'read by' }, 'region'), /reads from/);
});
