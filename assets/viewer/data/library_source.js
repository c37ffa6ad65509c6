// @ts-check
/**
 * The library's routes: what is kept, page by page, and a run by the id that an address names. Knows no document.
 *
 * @typedef {import('../state/fields.js').Manifest} Manifest
 * @typedef {{ticket: string, kind: string, id: string, created: string, model: string | null, adapter: string | null, prompt: string, answer: string,
 *   folder: string, tokens: number, bytes: number | null, error: string | null}} KeptRow
 * @typedef {{rows: KeptRow[], offset: number, total: number, all: number, notes: string[], looking: {done: number, total: number} | null}} KeptPage
 * @typedef {{search: string, order: string}} Listed  which of them are listed, and in which order
 */
import { recallTicket } from './tickets.js';

const INDEXES = { run: 'run.json', comparison: 'comparison.json' };

/** @type {Map<string, Listed>} by kind; the list may be folded away, and what comes next is still what it says */
const listed = new Map();

/** @param {string} kind @param {Listed} wish */
export function listAs(kind, wish) {
  listed.set(kind, wish);
}

/** @param {string} kind @returns {Listed} */
export function listedAs(kind) {
  return listed.get(kind) ?? { search: '', order: 'newest' };
}

export class LibraryRefused extends Error {
  /** @param {string} message @param {boolean} isLocked  the key is missing */
  constructor(message, isLocked = false) {
    super(message);
    this.isLocked = isLocked;
  }
}

/**
 * @param {string} base  the address of the routes
 * @param {typeof globalThis.fetch} [fetch]
 */
export function createLibrarySource(base, fetch = globalThis.fetch.bind(globalThis)) {
  /** @param {string} path @param {Record<string, string | number>} fields @param {RequestInit} [how] */
  async function ask(path, fields, how) {
    const texts = Object.entries(fields).map(([name, value]) => [name, String(value)]);
    let response;
    try {
      response = await fetch(`${base}library/${path}?${new URLSearchParams(texts)}`, { credentials: 'same-origin', ...how });
    } catch (error) {
      if (how?.signal?.aborted) throw error;
      throw new LibraryRefused('The server cannot be reached.');
    }
    const body = await response.json().catch(() => ({}));
    if (!response.ok) throw new LibraryRefused(body.error ?? `The server answered with status ${response.status}.`, Boolean(body.locked));
    return body;
  }

  return {
    /** @param {{kind: string, offset: number, limit: number, look: number, around: string}} wish @param {AbortSignal} signal @returns {Promise<KeptPage>} */
    list: (wish, signal) => ask('list', { ...listedAs(wish.kind), ...wish }, { signal }),
    /** The one before or after, as the list has them. @param {string} kind @param {string} ticket @param {number} by @returns {Promise<Manifest>} */
    beside: (kind, ticket, by) => ask('beside', { ...listedAs(kind), kind, ticket, by }),
    /** @param {string} ticket */
    remove: (ticket) => ask('delete', { ticket }, { method: 'POST' }),
    /** @param {string} ticket */
    restore: (ticket) => ask('restore', { ticket }, { method: 'POST' }),
    /** @param {string} ticket */
    thumbnail: (ticket) => `${base}library/thumbnail/${encodeURIComponent(ticket)}`,
  };
}

/**
 * What an address names: as this tab has opened it, as long as that is there; else out of the library.
 * @param {string} base
 * @param {'run' | 'comparison'} kind
 * @param {string} id
 * @param {typeof globalThis.fetch} [fetch]
 * @returns {Promise<{manifest: Manifest} | {words: string, hasLibrary: boolean}>}
 */
export async function findByAddress(base, kind, id, fetch = globalThis.fetch.bind(globalThis)) {
  const kept = recallTicket(id);
  const isKept = kept?.kind === kind;
  if (isKept) {
    const there = await fetch(`${base}${encodeURIComponent(kept.ticket)}/${INDEXES[kind]}`, { method: 'HEAD' }).catch(() => null);
    if (there?.status !== 404) return { manifest: kept }; // a server that is away is told of where the run would be
  }
  const named = `The ${kind} ${id} of this address is not`;
  const found = await fetch(`${base}library/find?${new URLSearchParams({ kind, id })}`, { credentials: 'same-origin' }).catch(() => null);
  const body = await found?.json().catch(() => null);
  if (found?.ok && body?.ticket) return { manifest: body };
  if (body?.library) return { words: body.error, hasLibrary: true };
  return {
    words: isKept ? `${named} here any more: it has expired. Run it again.` : `${named} open in this tab: only who made a ${kind} can open it.`,
    hasLibrary: false,
  };
}
