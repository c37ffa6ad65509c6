// @ts-check
/**
 * Parts of safetensors files on a web server, fetched by their bytes: where each tensor lies is known beforehand. A server that knows no
 * ranges sends the whole file, which is kept. Knows no run and no document.
 *
 * @typedef {'F64' | 'F32' | 'F16' | 'BF16' | 'I32' | 'U8'} Dtype
 * @typedef {[dtype: Dtype, shape: number[], start: number]} Tensor  start: its first byte in the file
 * @typedef {{path: string, tensors: Record<string, Tensor>}} TensorFile
 * @typedef {Float32Array | Float64Array | Int32Array | Uint8Array} Numbers  of half precision in float32
 */
import { decodeHalf } from './float16.js';
import { LruCache } from './lru.js';
import { RequestFailed } from './source.js';

/** @type {Record<Dtype, number>} */
const BYTES = { F64: 8, F32: 4, F16: 2, BF16: 2, I32: 4, U8: 1 };

/**
 * @param {object} options
 * @param {string} options.address  of the folder that the files' paths begin at
 * @param {typeof globalThis.fetch} [options.fetch]
 * @param {number} [options.limitBytes]  of what is kept: parts as they were asked for, and whole files
 */
export function createTensorReader({ address, fetch = globalThis.fetch.bind(globalThis), limitBytes = 384 * 2 ** 20 }) {
  /** @type {LruCache<Numbers>} */
  const parts = new LruCache(limitBytes / 2);
  /** @type {LruCache<ArrayBuffer>} */
  const files = new LruCache(limitBytes / 2);

  /** @param {string} path @param {number} start @param {number} stop @param {AbortSignal | null} [signal] */
  async function bytes(path, start, stop, signal) {
    if (stop === start) return new ArrayBuffer(0);
    const whole = files.get(path);
    if (whole) return whole.slice(start, stop);
    let response;
    try {
      response = await fetch(`${address}/${path}`, { signal, headers: { Range: `bytes=${start}-${stop - 1}` } });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new RequestFailed('The server cannot be reached.');
    }
    if (!response.ok) throw new RequestFailed(`${path} is not here: the server answered with status ${response.status}.`, { status: response.status });
    const content = await response.arrayBuffer();
    if (response.status === 206) {
      if (content.byteLength !== stop - start) throw new RequestFailed('The server sent less than it said. Try again.');
      return content;
    }
    if (content.byteLength < stop) throw new RequestFailed('The server sent less than it said. Try again.');
    files.set(path, content, content.byteLength);
    return content.slice(start, stop);
  }

  return {
    /**
     * Entries [first, last) of a tensor along its first axis, all by default, in C order.
     * @param {TensorFile} file
     * @param {string} name
     * @param {{first?: number, last?: number, signal?: AbortSignal | null}} [part]
     * @returns {Promise<Numbers>}
     */
    async read(file, name, { first = 0, last, signal } = {}) {
      const [dtype, shape, start] = file.tensors[name];
      const end = last ?? shape[0];
      const key = `${file.path} ${name} ${first} ${end}`;
      const kept = parts.get(key);
      if (kept) return kept;
      const stride = shape.slice(1).reduce((product, count) => product * count, BYTES[dtype]);
      const numbers = decoded(await bytes(file.path, start + first * stride, start + end * stride, signal), dtype);
      parts.set(key, numbers, numbers.byteLength);
      return numbers;
    },
  };
}

/** @param {ArrayBuffer} content @param {Dtype} dtype @returns {Numbers} */
function decoded(content, dtype) {
  switch (dtype) {
    case 'F64': return new Float64Array(content);
    case 'F32': return new Float32Array(content);
    case 'F16': return decodeHalf(new Uint16Array(content));
    case 'BF16': return decodeBrain(new Uint16Array(content));
    case 'I32': return new Int32Array(content);
    default: return new Uint8Array(content);
  }
}

/** bfloat16 is the upper half of float32. @param {Uint16Array} bits */
function decodeBrain(bits) {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i] << 16;
  return new Float32Array(words.buffer);
}

/** @typedef {ReturnType<typeof createTensorReader>} TensorReader */
