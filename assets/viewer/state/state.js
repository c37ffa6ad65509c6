// @ts-check
/**
 * The one shared state: plain fields, and a channel for each.
 *
 * A view reads fields and asks to be called when one of them changes; it never calls another view. All listeners of one `set`
 * run before it returns, each once, in the order they were added, so what was set is painted when `set` is back.
 */

/**
 * @template {Record<string, any>} S
 * @param {S} initial
 */
export function createState(initial) {
  /** @type {S} */
  const fields = { ...initial };
  /** @type {Set<{names: (keyof S)[], listener: () => void}>} */
  const channels = new Set();

  return {
    /** @type {Readonly<S>} */
    get: fields,

    /** @param {Partial<S>} changes */
    set(changes) {
      const names = new Set(Object.keys(changes).filter((name) => !Object.is(fields[name], changes[name])));
      if (!names.size) return;
      Object.assign(fields, changes);
      for (const channel of [...channels]) {
        if (channels.has(channel) && channel.names.some((name) => names.has(/** @type {string} */ (name)))) channel.listener();
      }
    },

    /**
     * @param {(keyof S)[]} names
     * @param {() => void} listener
     * @returns {() => void} stops listening
     */
    on(names, listener) {
      const channel = { names, listener };
      channels.add(channel);
      return () => channels.delete(channel);
    },
  };
}
