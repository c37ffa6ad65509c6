import assert from 'node:assert/strict';
import test from 'node:test';
import { createHeld, keyOf } from '../../../assets/viewer/data/held.js';
import { createSource, rowPath } from '../../../assets/viewer/data/source.js';
import { leftOutWords } from '../../../assets/viewer/text/left_out.js';

/** Bytes of float32 values as a file has them: all first bytes, then all second ones. */
function planes(...values) {
  const bytes = new Uint8Array(Float32Array.from(values).buffer);
  return Uint8Array.from(bytes, (_, i) => bytes[(i % values.length) * 4 + Math.floor(i / values.length)]);
}

const wish = { tower: 'language', layer: 3, head: 1, query: 7 };
const HEADERS = { 'X-Attention-Dtype': 'float32', 'X-Attention-Source': 'factors', 'X-Attention-Shape': '1,3' };

function heldOf(key) {
  const content = Uint8Array.from([9, 9, ...planes(0.25, 0.5, 1)]);
  return createHeld({ answers: { [key]: [0, 2, 12, 0] }, headers: [HEADERS] }, {
    read: async () => content.buffer, refusal: (asked) => leftOutWords(asked, 'This file holds little.'),
  });
}

test('an answer is found whatever the order of its fields, and has its own bytes again', async () => {
  const source = createSource({ base: '', fetch: heldOf('row?layer=3&query=7&tower=language').fetch });
  assert.deepEqual((await source.row(wish)).values, Float32Array.of(0.25, 0.5, 1));
  assert.equal(keyOf('/base/row?tower=t&layer=1'), 'base/row?layer=1&tower=t');
});

test('rows that are held by heads are asked for by heads', async () => {
  const source = createSource({ base: '', fetch: heldOf('row?head=1&layer=3&query=7&tower=language').fetch, oneHead: true });
  assert.equal((await source.row(wish)).source, 'factors');
  assert.equal(source.keptRow(wish).values[2], 1);
  assert.equal(rowPath(wish), 'row?tower=language&layer=3&query=7');
});

test('what is left out is said, never made up', async () => {
  const source = createSource({ base: '', fetch: heldOf('row?layer=3&query=7&tower=language').fetch });
  await assert.rejects(source.row({ ...wish, query: 8 }), (error) => error.message === 'The row of position 8 (layer 3) is not in this file. This file holds little.');
  const words = (/** @type {string} */ key) => leftOutWords(key, 'H.');
  assert.equal(words('row?layer=mean&head=max&query=1&until=3&tower=language'), 'The mean of the rows of positions 1 to 3 (mean over layers, max over heads) is not in this file. H.');
  assert.equal(words('base/column?key=4&layer=2&tower=cross'), 'Who reads position 4 (layer 2), in the cross tower, is not in this file. H.');
  assert.equal(words('scores?name=sink_share&query=4&tower=language'), 'The score sink share of the row of position 4 is not in this file. H.');
  assert.equal(words('toString'), 'This is not in this file. H.');
});
