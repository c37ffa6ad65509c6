import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { formatPercent, formatStrength, formatTimes, formatValue } from '../../assets/viewer/data/format.js';

const GOLDEN = JSON.parse(readFileSync(new URL('../golden/number_texts.json', import.meta.url), 'utf8'));

test('every number has the text that page and files are held to', () => {
  const formats = { value: formatValue, times: formatTimes, percent: formatPercent, strength: formatStrength };
  for (const [kind, write] of Object.entries(formats)) {
    assert.deepEqual(GOLDEN[kind].map(([number]) => [number, write(Number(number))]), GOLDEN[kind]);
  }
});
