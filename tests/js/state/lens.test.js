// @ts-nocheck
/** The lens of a run: asked for once, its words those after the layer on screen, let go where it is switched off. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLens } from '../../../assets/viewer/state/lens.js';
import { createState } from '../../../assets/viewer/state/state.js';

const MADE = { kind: 'lens', name: 'lens', layers: [0, 1, 2], caution: '' };
const settled = () => new Promise((resolve) => setImmediate(resolve));

function begin({ asking, made = [] } = {}) {
  const fetched = [];
  const source = {
    words: async (name, layer) => { fetched.push(layer); return { layer, texts: [], unspelled: [], words: [], logprobs: [] }; },
    readings: async () => made,
  };
  const state = createState({ source, info: {}, lens: null, words: null, readings: {}, notice: '', selection: { tower: 'language', layer: 1 } });
  const lens = createLens(state, { asking: asking ?? null, fail: (_, error) => { throw error; } });
  return { state, lens, fetched };
}

test('it is asked for, and its words are those after the layer on screen', async () => {
  const asked = [];
  const { state, lens, fetched } = begin({ asking: { ask: (kind) => asked.push(kind), stop() {} } });
  await lens.toggle();
  assert.deepEqual(asked, ['lens']);
  state.set({ readings: { lens: { working: true, made: null, text: '' } } });
  state.set({ readings: { lens: { working: false, made: MADE, text: '' } } });
  await settled();
  assert.equal(state.get.words.layer, 1);
  state.set({ selection: { tower: 'language', layer: 'mean' } });
  await settled();
  assert.equal(state.get.words.layer, 2);
  state.set({ selection: { tower: 'vision', layer: 0 } });
  await settled();
  assert.equal(state.get.words, null);
  await lens.toggle();
  assert.deepEqual([state.get.lens, fetched], [null, [1, 2]]);
});

test('a reason against it is said, and a file has what it holds', async () => {
  const { state, lens } = begin({ asking: { ask() {}, stop() {} } });
  await lens.toggle();
  state.set({ readings: { lens: { working: false, made: null, text: 'Its logits are more than that.' } } });
  assert.deepEqual([state.get.notice, state.get.lens], ['Its logits are more than that.', null]);
  const held = begin({ made: [MADE] });
  assert.equal(await held.lens.isThere(), true);
  await held.lens.toggle();
  assert.equal(held.state.get.lens.name, 'lens');
  const bare = begin();
  assert.equal(await bare.lens.isThere(), false);
  await bare.lens.toggle();
  assert.match(bare.state.get.notice, /does not hold/);
});
