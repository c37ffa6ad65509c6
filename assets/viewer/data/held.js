// @ts-check
/**
 * Answers that a page has with it, in place of a server that gives them: by the same addresses, with the same bytes and headers. What it
 * does not have is refused in words. Knows no document.
 *
 * @typedef {[block: number, start: number, length: number, headers: number]} Place  where an answer lies
 *
 * @typedef {object} Index
 * @property {Record<string, Place>} answers   by their addresses, as `keyOf` writes them
 * @property {Record<string, string>[]} headers  each once
 */

/** @type {Record<string, number>} */
const BYTES = { float16: 2, float32: 4 };

/**
 * @param {Index} index
 * @param {object} page
 * @param {(block: number) => Promise<ArrayBuffer>} page.read  a block of answers
 * @param {(key: string) => string} page.refusal  what is said of an answer that is not here
 */
export function createHeld({ answers, headers }, { read, refusal }) {
  /** @param {string} key */
  async function find(key) {
    const place = Object.hasOwn(answers, key) ? answers[key] : null;
    if (!place) return null;
    const [block, start, length, about] = place;
    return { content: joined(new Uint8Array(await read(block), start, length), BYTES[headers[about]['X-Attention-Dtype']] ?? 1), headers: headers[about] };
  }

  /** @type {typeof globalThis.fetch} */
  async function fetch(address, { signal } = {}) {
    const key = keyOf(String(address));
    const found = await find(key);
    signal?.throwIfAborted();
    return found ? new Response(found.content, { headers: found.headers }) : Response.json({ error: refusal(key), left_out: true }, { status: 404 });
  }

  return { keys: Object.keys(answers), find, fetch };
}

/**
 * Numbers whose first bytes lie together, then their second ones, and so on: each with its own bytes again.
 * @param {Uint8Array<ArrayBuffer>} planes
 * @param {number} size  bytes of a number
 */
function joined(planes, size) {
  const count = planes.length / size;
  const bytes = new Uint8Array(planes.length);
  for (let plane = 0; plane < size; plane++) for (let i = 0; i < count; i++) bytes[i * size + plane] = planes[plane * count + i];
  return bytes;
}

/**
 * An address by which an answer is known, whatever the order of its fields.
 * @param {string} address
 */
export function keyOf(address) {
  const [path, query = ''] = address.replace(/^\/+/, '').split('?');
  const fields = [...new URLSearchParams(query)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, text]) => `${name}=${text}`);
  return fields.length ? `${path}?${fields.join('&')}` : path;
}
