// What an address names is found: as this tab has opened it, else out of the library; and what is said where it is not.
import assert from 'node:assert/strict';
import test from 'node:test';

import { findByAddress } from '../../../assets/viewer/data/library_source.js';
import { keptCount, keptFacts } from '../../../assets/viewer/text/kept.js';

const KEPT = { id: 'a', ticket: 'old', kind: 'run' };

/** Answers by the end of their address; what is not named cannot be reached. @param {Record<string, [number, object]>} answers */
function server(answers, remembered = null) {
  const asked = [];
  globalThis.sessionStorage = { getItem: () => JSON.stringify(remembered) };
  const fetch = async (address) => {
    asked.push(address);
    const [status, body] = Object.entries(answers).find(([part]) => address.includes(part))?.[1] ?? [];
    if (!status) throw new TypeError('no network');
    return { status, ok: status < 400, json: async () => body };
  };
  return { find: () => findByAddress('/x/', 'run', 'a', fetch), asked };
}

test('a ticket of this tab is enough, as long as it is good', async () => {
  const { find, asked } = server({ 'old/run.json': [200, {}] }, KEPT);
  assert.deepEqual(await find(), { manifest: KEPT });
  assert.equal(asked.length, 1);
  assert.deepEqual(await server({}, KEPT).find(), { manifest: KEPT }, 'a server that is away is no reason to forget it');
});

test('a ticket that is nobody\'s any more is looked up in the library', async () => {
  const found = { id: 'a', ticket: 'new', kind: 'run' };
  const { find, asked } = server({ 'old/run.json': [404, {}], 'library/find?kind=run&id=a': [200, found] }, KEPT);
  assert.deepEqual(await find(), { manifest: found });
  assert.equal(asked.length, 2);
});

test('the library says why not; where there is none, the page does', async () => {
  const refused = server({ library: [403, { error: 'the key', library: true }] });
  assert.deepEqual(await refused.find(), { words: 'the key', hasLibrary: true });
  assert.match((await server({ library: [404, { error: 'nothing' }] }).find()).words, /not open in this tab: only who made a run/);
  assert.match((await server({ '': [404, {}] }, KEPT).find()).words, /has expired/);
});

test('a row and the line above all rows are in words', () => {
  const row = { model: 'org/name', adapter: 'largest at 0.5', folder: 'job/star', created: '2026-01-02T03:04:05', tokens: 1234, bytes: 1_550_000, error: null };
  assert.equal(keptFacts(row), 'name · largest at 0.5 · job/star · 2026-01-02 03:04 · 1,234 tokens, 1.6 MB');
  const page = { total: 12, all: 5000, looking: null, notes: [] };
  assert.equal(keptCount(page, 'run', 'x'), '12 of 5,000 kept runs');
  assert.equal(keptCount({ ...page, all: 0 }, 'comparison', ''), 'No kept comparisons yet');
  assert.equal(keptCount({ ...page, looking: { done: 3, total: 9 }, notes: ['b'] }, 'run', ''), '5,000 kept runs · reading new folders: 3 of 9 ... · b');
});
