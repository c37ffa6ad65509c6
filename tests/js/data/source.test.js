import assert from 'node:assert/strict';
import test from 'node:test';
import { LruCache } from '../../../assets/viewer/data/lru.js';
import { RequestFailed, atlasPath, createSource, rowPath } from '../../../assets/viewer/data/source.js';

/** A server whose answers are given by hand: `answer(path, ...)` lets the request of that path through. */
function handServer() {
  const waiting = new Map();
  const asked = [];
  const fetch = (address, { signal }) => {
    const path = address.replace('/base/', '');
    asked.push(path);
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
      waiting.set(path, resolve);
    });
  };
  const answer = (path, values, { dtype = 'float32', shape = [1, values.length] } = {}) => {
    const content = dtype === 'float16' ? Uint16Array.from(values) : Float32Array.from(values);
    waiting.get(path)(new Response(content, { headers: { 'X-Attention-Dtype': dtype, 'X-Attention-Source': 'stored', 'X-Attention-Shape': shape.join(',') } }));
  };
  return { fetch, answer, asked, waiting };
}

const wish = (query, more = {}) => ({ tower: 'language', layer: 1, head: 0, query, ...more });

test('a row arrives decoded, with where it came from', async () => {
  const server = handServer();
  const source = createSource({ base: '/base', fetch: server.fetch });
  const row = source.row(wish(5));
  server.answer(rowPath(wish(5)), [0x3c00, 0x3800, 0, 0], { dtype: 'float16', shape: [2, 2] });
  assert.deepEqual(await row, { values: Float32Array.of(1, 0.5, 0, 0), shape: [2, 2], dtype: 'float16', source: 'stored', positions: undefined });
});

test('a newer wish aborts the older one, whose answer never arrives', async () => {
  const server = handServer();
  const source = createSource({ base: '/base', fetch: server.fetch });
  const rows = [1, 2, 3].map((query) => source.row(wish(query)));
  server.answer(rowPath(wish(3)), [3]);
  server.answer(rowPath(wish(1)), [1]);
  assert.deepEqual((await Promise.all(rows)).map((row) => row && row.values[0]), [null, null, 3]);
});

test('an answer that comes after its wish was dropped is not given out', async () => {
  let finish;
  const source = createSource({ base: '/base', fetch: () => new Promise((resolve) => { finish = resolve; }) }); // deaf to abort
  const row = source.row(wish(1));
  source.drop('row');
  finish(new Response(Float32Array.of(1), { headers: { 'X-Attention-Dtype': 'float32', 'X-Attention-Shape': '1,1' } }));
  assert.equal(await row, null);
});

test('lanes do not disturb each other; what was fetched ahead is not asked for again', async () => {
  const server = handServer();
  const source = createSource({ base: '/base', fetch: server.fetch });
  const ahead = source.prefetch([wish(6)], []);
  const row = source.row(wish(5));
  server.answer(rowPath(wish(6)), [6]);
  server.answer(rowPath(wish(5)), [5]);
  assert.equal((await row).values[0], 5);
  await ahead;
  assert.equal(source.keptRow(wish(6)).values[0], 6);
  assert.equal((await source.row(wish(6))).values[0], 6);
  assert.equal(server.asked.length, 2);
});

test('a refusal comes with its sentence; an expired run is told apart', async () => {
  const refuse = (status, body) => createSource({ base: '/base', fetch: async () => new Response(JSON.stringify(body), { status }) });
  await assert.rejects(refuse(404, { error: 'No layer 9.' }).row(wish(1)), (error) =>
    error instanceof RequestFailed && error.message === 'No layer 9.' && !error.isExpired && error.status === 404);
  await assert.rejects(refuse(404, { error: 'Gone.', expired: true }).runInfo(), (error) => error.isExpired);
  await assert.rejects(refuse(502, '<html>').runInfo(), /status 502/);
  await assert.rejects(createSource({ base: '/base', fetch: async () => { throw new TypeError('x'); } }).runInfo(), /cannot be reached/);
});

test('an answer shorter than it says is refused', async () => {
  const fetch = async () => new Response(Float32Array.of(1, 2), { headers: { 'X-Attention-Dtype': 'float32', 'X-Attention-Shape': '2,2' } });
  await assert.rejects(createSource({ base: '/base', fetch }).row(wish(1)), /sent less/);
});

test('heads of one layer share a request; over layers the server reduces, heads first', () => {
  assert.equal(rowPath(wish(4, { head: 'max' })), rowPath(wish(4, { head: 2 })));
  assert.match(rowPath(wish(4, { layer: 'max', head: 'mean' })), /layer=max&query=4&head=mean/);
  assert.equal(rowPath(wish(4, { layer: 'mean', head: 1 })), rowPath(wish(4, { layer: 'mean', head: 3 })));
  assert.equal(atlasPath({ tower: 'language', query: 4, grid: 1, max_cells: 1024 }), 'atlas?tower=language&query=4&grid=1&max_cells=1024');
});

test('the cache forgets what was used least recently, by bytes', () => {
  const cache = new LruCache(100);
  cache.set('a', 1, 40);
  cache.set('b', 2, 40);
  cache.get('a');
  cache.set('c', 3, 40);
  assert.deepEqual([...cache.entries.keys()], ['a', 'c']);
  cache.set('a', 4, 10);
  assert.equal(cache.bytes, 50);
  cache.set('huge', 5, 1000);
  assert.deepEqual([...cache.entries.keys()], ['huge']);
});

test('the same wish again joins the one that is on its way', async () => {
  const server = handServer();
  const source = createSource({ base: '/base', fetch: server.fetch });
  const rows = [source.row(wish(5, { head: 1 })), source.row(wish(5, { head: 2 }))];
  server.answer(rowPath(wish(5)), [5]);
  assert.deepEqual((await Promise.all(rows)).map((row) => row.values[0]), [5, 5]);
  assert.equal(server.asked.length, 1);
  source.atlas({ tower: 'language', query: 5, grid: 0 });
  source.drop('atlas', atlasPath({ tower: 'language', query: 5, grid: 0 }));
  assert.ok(server.waiting.has(atlasPath({ tower: 'language', query: 5, grid: 0 })));
});

test('a column is another route than a row, and an atlas is of a query or of a key', () => {
  assert.equal(rowPath(wish(5, { direction: 'read by', layer: 'mean', head: 'max' })), 'column?tower=language&layer=mean&key=5&head=max');
  assert.equal(rowPath(wish(5, { direction: 'reads' })), rowPath(wish(5)));
  assert.equal(atlasPath({ tower: 'vision', direction: 'read by', query: 7, grid: 1 }), 'atlas?tower=vision&key=7&grid=1');
});
