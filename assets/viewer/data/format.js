// @ts-check
/**
 * Numbers and sizes as they are written on the page: significant digits, units, a narrow space before a per cent sign.
 *
 * The same texts as in exported files (attention/drawing/number_text.py): the exact value rounded half up, away from zero, which
 * is what toFixed, toPrecision and toExponential do; tests/golden/page_and_files.json holds both sides to it.
 */

const NO_NUMBER = '–';

/** @param {number} value @param {number} decimals */
const scientific = (value, decimals) => value.toExponential(decimals).replace('e+', 'e');

/**
 * An attention value: 0.123, 0.00332, 3.32e-5, 1234, 1.23e6.
 * @param {number} value
 */
export function formatValue(value) {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return NO_NUMBER;
  if (value === 0) return '0';
  if (size < 9.995e-4 || size >= 999_999.5) return scientific(value, 2);
  const text = size >= 999.5 ? value.toFixed(0) : value.toPrecision(3);
  return text === '1.00' ? '1' : text;
}

/**
 * A multiple of even attention: 7.2×, 130×, 0.041×, 3.4e-5×, 1.2e9×.
 * @param {number} times
 */
export function formatTimes(times) {
  const size = Math.abs(times);
  if (!Number.isFinite(times)) return NO_NUMBER;
  if (times === 0) return '0×';
  if (size < 9.95e-4 || size >= 999_999.5) return `${scientific(times, 1)}×`;
  return `${size >= 99.5 ? times.toFixed(0) : times.toPrecision(2)}×`;
}

/**
 * A share of 1 as per cent, without an exponent: 48.6 %, 0.012 %, 0.000006 %.
 * @param {number} share
 */
export function formatPercent(share) {
  const percent = 100 * share;
  const size = Math.abs(percent);
  if (!Number.isFinite(percent)) return NO_NUMBER;
  if (size > 0 && size < 9.5e-7) return `${percent < 0 ? '-' : ''}<0.000001\u202f%`;
  const text = percent === 0 ? '0' : size >= 9.95 ? percent.toFixed(1) : percent.toPrecision(size >= 0.0995 ? 2 : 1);
  return `${text === '100.0' ? '100' : text}\u202f%`;
}

/**
 * How strongly an adapter is switched on: ×1, ×0.5, ×0.063.
 * @param {number} scale
 */
export function formatStrength(scale) {
  return `×${Number(scale.toFixed(3))}`;
}

/** @param {number} width @param {number} height */
export function formatSize(width, height) {
  return `${width}×${height}`;
}
