// @ts-check
/**
 * float16 as it arrives from the server: decoded through one table of all 65,536 patterns, which is as fast as a native
 * Float16Array and works in every browser.
 */

const VALUES = new Float32Array(65536);
for (let bits = 0; bits < 65536; bits++) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) VALUES[bits] = sign * fraction * 2 ** -24;
  else if (exponent === 31) VALUES[bits] = fraction ? NaN : sign * Infinity;
  else VALUES[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * Decode float16 patterns, exactly.
 * @param {Uint16Array} bits
 * @param {Float32Array} [into]
 */
export function decodeHalf(bits, into = new Float32Array(bits.length)) {
  for (let i = 0; i < bits.length; i++) into[i] = VALUES[bits[i]];
  return into;
}
