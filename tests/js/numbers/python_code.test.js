import assert from 'node:assert/strict';
import test from 'node:test';

import { pythonCode } from '../../../assets/viewer/numbers/python_code.js';

const view = { tower: 'language', direction: 'reads', query: 69, until: null, layer: 12, head: 3, grid: 0 };
const address = 'https://host/gradio_api/attention/ticket';

test('with a folder the code is this project, on one line what is read', () => {
  const code = pythonCode(view, { folder: '/home/me/runs/star', address });
  assert.match(code, /^from attention import open_run\n/);
  assert.match(code, /\nrun = open_run\("\/home\/me\/runs\/star"\)\n# what row 69 reads: language tower, layer 12, head 3\n/);
  assert.match(code, /\nmap = run\.map\(12, 3, 69, grid=0, tower="language"\)\n/);
  assert.ok(!code.includes(address) && code.endsWith('\n'));
});

test('columns, spans, reductions and what keys receive', () => {
  const code = (change) => pythonCode({ ...view, ...change }, { folder: 'a', address });
  assert.match(code({ direction: 'read by' }), /map = run\.reduced_column\(12, 3, 69, "language"\)\[run\.tower_cells\(0, "language"\)\]/);
  assert.match(code({ until: 72 }), /# what rows 69 to 72 \(mean\) reads.*\nmap = run\.map\(12, 3, 69, grid=0, tower="language", until=72\)/);
  assert.match(code({ layer: 'mean', head: 'max' }), /map = run\.map\("mean", "max", 69/);
  assert.match(code({ direction: 'received', tower: 'vision', grid: 1 }), /map = run\.received\(12, "vision", head=3\)\[run\.tower_cells\(1, "vision"\)\]/);
  assert.match(code({ grid: null }), /\nrow = run\.reduced_row\(12, 3, 69, "language"\)\npeak = int\(row\.argmax\(\)\)/);
});

test('without a folder it is NumPy and the address, with what the route takes', () => {
  const code = (change = {}) => pythonCode({ ...view, ...change }, { folder: null, address });
  assert.ok(!code().includes('attention import') && code().includes(`address = "${address}"`));
  assert.ok(code().includes('"/row?tower=language&layer=12&head=3&query=69"') && code().includes('info["tokens"]'));
  assert.ok(code({ direction: 'read by', until: 70 }).includes('"/column?tower=language&layer=12&head=3&key=69&until=70"'));
  assert.ok(code({ direction: 'received', tower: 'vision', layer: 'mean' }).includes('"/received?tower=vision&layer=mean&head=3"'));
  assert.ok(code({ tower: 'vision' }).includes('info["towers"]["vision"]["keys"]'));
});

test('names stand as texts, whatever they hold', () => {
  const folder = 'C:\\runs\\"quoted" \'and\'\n\u2028火🦊\\';
  const line = pythonCode(view, { folder, address }).split('\n').find((text) => text.startsWith('run = '));
  assert.equal(line, `run = open_run("C:\\\\runs\\\\\\"quoted\\" 'and'\\n\u2028火🦊\\\\")`);
  const hostile = pythonCode({ ...view, tower: 'x\n"""; import os #' }, { folder: null, address: '"; import os\n' });
  assert.ok(!/^import os/m.test(hostile) && !/^"/m.test(hostile));
});
