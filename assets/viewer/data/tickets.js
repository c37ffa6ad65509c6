// @ts-check
/**
 * The tickets of what this tab has opened: in its own storage, so that a reload finds them again and nobody else does. The address of the
 * page names only the id. Knows no document.
 *
 * @typedef {import('../state/fields.js').Manifest} Manifest
 */

/** @param {Manifest} manifest */
export function rememberTicket({ id, ticket, kind, is_public, folder }) {
  try {
    sessionStorage.setItem(`attention ${id}`, JSON.stringify({ id, ticket, kind, is_public, folder }));
  } catch {
    // storage is refused: a reload then opens what the server gives
  }
}

/** @param {string} id @returns {Manifest | null} */
export function recallTicket(id) {
  try {
    return JSON.parse(sessionStorage.getItem(`attention ${id}`) ?? 'null');
  } catch {
    return null;
  }
}
