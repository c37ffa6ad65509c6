// @ts-check
/** What the server tells of a trial or a reading, passed on to the viewer that has asked for it. Shows nothing itself. */
import { tellTried } from './views/kept_events.js';

/**
 * @param {object} component
 * @param {{value: import('./views/kept_events.js').Told | null}} component.props
 * @param {(name: string, listener: () => void) => void} component.watch
 */
export function mount({ props, watch }) {
  watch('value', () => {
    if (props.value) tellTried(props.value);
  });
}
