// @ts-check
/** A map that forgets what was used least recently when its entries together exceed a number of bytes. */

/** @template T */
export class LruCache {
  /** @param {number} limitBytes */
  constructor(limitBytes) {
    this.limitBytes = limitBytes;
    this.bytes = 0;
    /** @type {Map<string, {value: T, bytes: number}>} */
    this.entries = new Map();
  }

  /** @param {string} name @returns {T | undefined} */
  get(name) {
    const entry = this.entries.get(name);
    if (!entry) return undefined;
    this.entries.delete(name);
    this.entries.set(name, entry);
    return entry.value;
  }

  /** @param {string} name @param {T} value @param {number} bytes */
  set(name, value, bytes) {
    this.bytes += bytes - (this.entries.get(name)?.bytes ?? 0);
    this.entries.delete(name);
    this.entries.set(name, { value, bytes });
    for (const [oldest, entry] of this.entries) {
      if (this.bytes <= this.limitBytes || oldest === name) break;
      this.entries.delete(oldest);
      this.bytes -= entry.bytes;
    }
  }
}
