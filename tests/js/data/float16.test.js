import assert from 'node:assert/strict';
import test from 'node:test';
import { decodeHalf } from '../../../assets/viewer/data/float16.js';

/** IEEE 754 binary16 from its definition, by another route than the table: through the bits of a binary32. */
function reference(bits) {
  const view = new DataView(new ArrayBuffer(4));
  const exponent = (bits >> 10) & 31;
  if (exponent === 0) return ((bits & 0x8000) ? -1 : 1) * ((bits & 1023) / 1024) * 2 ** -14;
  const wide = exponent === 31 ? 255 : exponent - 15 + 127;
  view.setUint32(0, (((bits & 0x8000) << 16) | (wide << 23) | ((bits & 1023) << 13)) >>> 0);
  return view.getFloat32(0);
}

test('all 65,536 float16 patterns decode to their value', () => {
  const decoded = decodeHalf(Uint16Array.from({ length: 65536 }, (_, i) => i));
  for (let bits = 0; bits < 65536; bits++) {
    assert.ok(Object.is(decoded[bits], Math.fround(reference(bits))), `pattern ${bits}: ${decoded[bits]} is not ${reference(bits)}`);
  }
});

test('known values', () => {
  assert.deepEqual([...decodeHalf(new Uint16Array([0, 0x3c00, 0x3555, 0x0001, 0x7bff]))], [0, 1, 0.333251953125, 2 ** -24, 65504]);
});
