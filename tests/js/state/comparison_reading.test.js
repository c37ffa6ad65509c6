import assert from 'node:assert/strict';
import test from 'node:test';
import { readComparison, writeComparison } from '../../../assets/viewer/state/address.js';
import { createComparisonReading } from '../../../assets/viewer/state/comparison_reading.js';
import { startingLook } from '../../../assets/viewer/state/look.js';
import { createReadings } from '../../../assets/viewer/state/readings.js';
import { startingFields } from '../../../assets/viewer/state/session.js';
import { createState } from '../../../assets/viewer/state/state.js';
import { forecastCost } from '../../../assets/viewer/state/forecast_cost.js';

const INFO = {
  tokens: ['prompt', 'prompt', 'answer', 'answer', 'special'].map((role, index) => ({ index, role, text: 'abcde'[index], grid: null })),
  images: [{}], grids: [{ image: 0, tower: 'language', kind: 'whole', rows: 1, cols: 1 }], groups: {}, model: { id: 'm', dtype: 'float32' },
  towers: { language: { heads: 2, keys: 5, layers: [{ index: 0, file: 'x', kv_heads: 1, head_dim: 4 }] } },
};
const SELECTION = { tower: 'language', direction: 'reads', token: 3, until: null, reading: 'predicting', layer: 0, head: 1, grid: null };
const made = (tokens, changes = {}) => ({ name: `f${tokens}`, kind: 'forecast', target: { tokens, against: null }, towers: ['language'], created: '', bytes: 1, value: -1, ...changes });

/** A page of a comparison whose members have these readings. */
function page(kept, { canAsk = true, shared = 5, infos, ...changes } = {}) {
  const sent = [];
  const members = kept.map((_, i) => ({ folder: i ? `adapter_${i}` : 'base', adapter: i ? { id: `a/lora-${i}`, scale: 1 } : null, answer: 'cd', ...(i ? changes.member : {}) }));
  const state = createState({
    ...startingFields(), info: INFO, selection: SELECTION, sources: kept.map((list) => ({ readings: async () => list })), manifest: { id: 'a', ticket: 'key', kind: 'comparison' },
    comparison: { id: 'a', members, shared_tokens: shared, words: changes.words ?? 'base' }, wholeInfos: infos ?? kept.map(() => INFO), left: 0, right: 1, steps: null,
  });
  const asking = canAsk ? createReadings(state, (name, data) => sent.push([name, data])) : null;
  const choice = createComparisonReading(state, { asking, select: (selection) => state.set({ selection }), announce: () => {} });
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  return { state, sent, asking, choice, settled };
}

test('a forecast that all have is shown at once, and what is read comes back', async () => {
  const { state, sent, choice } = page([[made([2, 3])], [made([2, 3], { value: -2 }), made([3])]]);
  await choice.forecast();
  const { reading, selection } = state.get;
  assert.deepEqual([reading.name, reading.isWhole, reading.members, selection.direction, sent], ['f2,3', true, [{ value: -1, why: '' }, { value: -2, why: '' }], 'received', []]);
  choice.toggle();
  assert.deepEqual([state.get.reading, state.get.selection], [null, SELECTION]);
});

test('who lacks it is asked, one after the other, in the towers that others were asked for', async () => {
  const towers = ['language', 'vision'];
  const { state, sent, asking, choice } = page([[], [made([2, 3], { name: 'both', towers })], []]);
  await choice.forecast();
  assert.deepEqual(sent, [['apply', { ticket: 'key', number: 1, reading: 'forecast', towers, member: 'base' }]]);
  assert.equal(choice.whose(), 'base, 2 to go: ');
  asking.hear({ number: 1, reading: 'forecast', made: made([2, 3], { name: 'both', towers }) });
  assert.deepEqual([sent[1][1].member, state.get.reading, choice.whose()], ['adapter_2', null, 'lora-2: ']);
  asking.hear({ number: 2, reading: 'forecast', made: made([2, 3], { name: 'both', towers }) });
  assert.deepEqual([state.get.reading.name, state.get.reading.towers, state.get.notice], ['both', towers, '']);
});

test('who refuses is named, and the others are set against each other', async () => {
  const { state, sent, asking, choice } = page([[made([3])], [], [made([3])]]);
  await choice.forecast([3]);
  assert.deepEqual(sent.map(([, { member, tokens }]) => [member, tokens]), [['adapter_1', [3]]]);
  asking.hear({ number: 1, reading: 'forecast', why: 'A quantised model has no gradients.' });
  const { left, right, notice, reading } = state.get;
  assert.deepEqual([left, right, notice, reading.members[1].why], [0, 2, 'No forecast of lora-1: A quantised model has no gradients.', 'A quantised model has no gradients.']);
});

test('of two of which one refuses what was read stays, and it is said', async () => {
  const { state, asking, choice } = page([[made([2, 3])], []]);
  await choice.forecast();
  asking.hear({ number: 1, reading: 'forecast', why: 'No.' });
  assert.equal(state.get.reading, null);
  assert.match(state.get.notice, /^No forecast of lora-1: No\. There are no two/);
  const own = page([[], [made([2, 3])], [made([2, 3])]], { canAsk: false, member: { own_towers: true } });
  await own.choice.forecast();
  assert.match(own.state.get.notice, /of base: This page does not hold that forecast/, 'side by side the first of two is the base');
  assert.equal(own.state.get.reading, null);
});

test('what is stopped is not gone on with', async () => {
  const { state, sent, asking, choice } = page([[], []]);
  await choice.forecast();
  choice.stop();
  asking.hear({ number: 1, reading: 'forecast', made: made([2, 3]) });
  assert.deepEqual([sent.map(([name]) => name), state.get.reading, choice.whose()], [['apply', 'stop'], null, '']);
});

test('where answers differ it is of what all have in common, or there is none', async () => {
  const longer = { ...INFO, tokens: [...INFO.tokens.slice(0, 3), { index: 3, role: 'answer', text: 'x', grid: null }, { index: 4, role: 'answer', text: 'y', grid: null }] };
  const { state, choice } = page([[made([2])], [made([2])]], { shared: 3, infos: [INFO, longer], words: 'own' });
  assert.deepEqual([choice.whole().tokens, choice.whole().name], [[2], 'of the words in common']);
  await choice.forecast();
  assert.deepEqual([state.get.reading.tokens, state.get.reading.isWhole], [[2], false]);
  const none = page([[], []], { shared: 2, infos: [INFO, longer], words: 'own' });
  assert.match(none.choice.why(), /share no word/);
  await none.choice.forecast();
  assert.deepEqual([none.sent, none.state.get.reading], [[], null]);
});

test('an address says what is shown, leads to it, and makes none', async () => {
  const { sent, state, choice } = page([[made([2, 3])], [], [made([2, 3])]]);
  const fields = { comparison: state.get.comparison, wholeInfos: state.get.wholeInfos };
  const found = await choice.restore({ tokens: null }, 'language', fields);
  assert.deepEqual([found.reading.name, found.two({ left: 0, right: 1 }), sent], ['f2,3', { left: 0, right: 2 }, []]);
  assert.match(found.notice, /of lora-1: it has not been made yet/);
  const written = (reading) => readComparison(writeComparison('a', SELECTION, { ...startingLook(), reading }, {})).shows;
  assert.deepEqual([written(found.reading), written({ ...found.reading, tokens: [3], isWhole: false })], [{ tokens: null }, { tokens: [3] }]);
  const missing = await choice.restore({ tokens: [3] }, 'language', fields);
  assert.deepEqual([missing.reading, missing.two({ left: 2, right: 1 })], [null, { left: 2, right: 1 }]);
  const opposed = await choice.restore({ tokens: [2], against: 7 }, 'language', fields);
  assert.deepEqual([opposed.reading, /rather than another/.test(opposed.notice)], [null, true], 'another question is not answered in its place');
});

test('relative attention goes the same way', async () => {
  const ratios = { ...made([]), name: 'r', kind: 'relative', target: null, prompt: 'Describe.', floor: 1e-6 };
  const { state, sent, asking, choice } = page([[ratios], []]);
  await choice.relative();
  assert.deepEqual(sent[0][1], { ticket: 'key', number: 1, reading: 'relative', prompt: 'Describe.', member: 'adapter_1' });
  asking.hear({ number: 1, reading: 'relative', made: ratios });
  assert.deepEqual([state.get.reading.kind, state.get.reading.prompt, state.get.selection.direction], ['relative', 'Describe.', 'reads']);
});

test('what it costs is said before: the bytes of values, and of the pull on every row', () => {
  const one = 1 * 5 * 4 * 4 + 2 * 5 * (4 * 4 + 4);
  const { short, long } = forecastCost([INFO, { ...INFO, model: { id: 'm', dtype: 'bfloat16' } }], ['language']);
  const half = 1 * 5 * 4 * 2 + 2 * 5 * (4 * 2 + 4);
  assert.match(short, new RegExp(`2 × a pass forward and one back, ${((one + half) / 1e6).toLocaleString('en', { maximumSignificantDigits: 2 })}`));
  assert.match(long, /each of the 2 members/);
});

test('a later choice stands, whatever an earlier one still waits for; a forecast that comes into a tower without it is not shown there', async () => {
  const { state, sent, asking, choice, settled } = page([[], []]);
  void choice.forecast();
  choice.read();
  void choice.forecast([3]);
  void choice.forecast([2]);
  await settled();
  assert.deepEqual(sent.map(([name, { tokens, member }]) => [name, tokens, member]), [['apply', [2], 'base']]);
  state.set({ selection: { ...SELECTION, tower: 'vision' }, tower: 'vision' });
  asking.hear({ number: 1, reading: 'forecast', made: made([2]) });
  asking.hear({ number: 2, reading: 'forecast', made: made([2]) });
  assert.deepEqual([state.get.reading, state.get.notice], [null, 'What was asked for is there, and not of the vision tower: go back to language, and choose it again.']);
});

test('the cost is that of members that lack it, and none where all have it', async () => {
  const { asking, choice } = page([[made([2, 3])], [], []]);
  assert.match(choice.cost().short, /^Forecast: up to 3 × /);
  await choice.look();
  assert.match(choice.cost().short, /^Forecast: 2 × /);
  assert.match(choice.cost().long, /each of 2 of 3 members/);
  await choice.forecast();
  asking.hear({ number: 1, reading: 'forecast', made: made([2, 3]) });
  asking.hear({ number: 2, reading: 'forecast', made: made([2, 3]) });
  choice.read();
  assert.equal(choice.cost(), null);
});
