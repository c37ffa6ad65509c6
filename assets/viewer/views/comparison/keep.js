// @ts-check
/** The menu "Keep" of a comparison: its maps side by side as a picture or a figure, its numbers, all of it as a zip, and the address of the view. */
import { comparedCode } from '../../numbers/compared_code.js';
import { comparedPath } from '../../numbers/comparison_export_paths.js';
import { opening, placeFields, rowOf } from '../../numbers/export_paths.js';
import { isRatio } from '../../numbers/ratios.js';
import { regionIn } from '../../numbers/regions.js';
import { isSideBySide, memberName } from '../../data/comparison_info.js';
import { whySideBySide } from '../../text/side_by_side.js';
import { create, listen } from '../dom.js';
import { createKeepLinks, PICTURES } from '../keep/keep_links.js';
import { createKeepMenu, createPngSize, keepRow } from '../keep/keep_menu.js';

const FIGURES = ['png', 'svg', 'pdf'];
const OF_READ = 'It holds what is read: choose Read. A forecast is kept as PNG, SVG or PDF, and its numbers member by member.';
const SHOWN = /** @type {const} */ (['left', 'right', 'difference', 'wipe']);

/**
 * @param {Element} root
 * @param {import('../../state/fields.js').ComparisonState} state
 * @param {object} page
 * @param {() => string} page.address  of what is on screen
 * @param {() => number} page.lineOnPicture  where the line of the wipe is, 0 to 1 of the whole picture's width
 */
export function createComparisonKeep(root, state, { address, lineOnPicture }) {
  const keep = createKeepMenu(root, {
    title: 'these maps as a file, or the address of this view', text: 'The address of this view',
    toggled: (isOpen) => {
      offer();
      if (!isOpen) links.stop();
      else keep.say(state.get.whole?.noFiles ?? '');
    },
  });
  const links = createKeepLinks(keep, [
    ...PICTURES,
    ['csv', 'all heads (CSV)', 'every measure of every layer and head, means over the answer, as a table'],
    ['region', 'the place in all heads', 'what every layer and head of every member puts in the place, beside what chance would, as a table'],
    ['html', 'HTML', 'one file that shows this in any browser, without the app and without a network; it says what it leaves out'],
    ['zip', 'whole comparison (zip)', 'every run with its readings, and every measure, as a zip that can be opened here again'],
  ], 'comparison');
  const size = createPngSize(offer);
  const boxes = SHOWN.map((name) => {
    const box = create('input', { type: 'checkbox', 'data-show': name });
    box.checked = name !== 'wipe';
    box.addEventListener('change', offer);
    return box;
  });
  const names = boxes.map(() => create('span'));
  const copy = create('button', { type: 'button', class: 'av-toggle', text: 'Copy address' });
  const python = create('button', { type: 'button', class: 'av-toggle', text: 'Copy as Python', title: 'code that reads the two maps on screen, and runs as pasted' });
  const who = create('span', { class: 'av-keep-who' });
  const files = [
    keepRow('Show', boxes.map((box, i) => create('label', { class: 'av-control av-keep-shown' }, [box, names[i]]))), keepRow('Picture', links.of('png', 'svg', 'pdf')),
    size.row, keepRow('Files', links.of('html', 'csv', 'region', 'zip')),
  ];
  keep.fill(...files, keepRow('View', [copy, python, who]));

  /** Links for what is on screen now. */
  function offer() {
    const { comparison, infos, maps, left, right, manifest, whole, pair, info, region, reading } = state.get;
    const isOwn = isSideBySide(comparison);
    const place = info && pair ? regionIn(info, region, pair.before.tower) : null;
    keep.enable(Boolean(comparison));
    if (!keep.isOpen() || !comparison || !whole) return;
    for (const each of [...files, python]) each.hidden = Boolean(whole.noFiles);
    [...[left, right].map((member) => memberName(comparison.members, member)), 'difference', 'wipe'].forEach((text, i) => {
      names[i].textContent = text;
    });
    boxes.forEach((box, i) => { if (i > 1 && box.parentElement) box.parentElement.hidden = isOwn; });
    const show = SHOWN.filter((_, i) => boxes[i].checked && !(isOwn && i > 1));
    const why = !maps ? 'There is no picture to draw on.' : show.length ? '' : 'Choose what is to be shown.';
    links.address((format) => {
      if (reading && !FIGURES.includes(format) && format !== 'zip') return { why: OF_READ };
      if (isRatio(reading) && FIGURES.includes(format)) return { why: 'No figure is made of ratios: choose Read or Forecast.' };
      if (format === 'html') return { href: `${whole.base}/export?${new URLSearchParams({ format, ...(pair ? opening(pair.before) : {}), ...(place ? placeFields(place) : {}) })}` };
      if (format === 'region') {
        if (!place || !pair) return { why: 'Mark a place first: ▭ beside the zoom, or the key m.' };
        if (pair.before.direction !== 'reads') return { why: 'A place is measured in what a row reads: choose “reads from”.' };
        return { href: `${whole.base}/export?${new URLSearchParams({ format: 'csv', ...rowOf(pair.before), ...placeFields(place) })}` };
      }
      if (format === 'csv' && isOwn) return { why: whySideBySide(infos) };
      if (format === 'zip' || format === 'csv') return { href: `${whole.base}/export?format=${format}${format === 'csv' && pair ? `&tower=${encodeURIComponent(pair.before.tower)}` : ''}` };
      return why ? { why } : { href: `${whole.base}/${comparedPath(state.get, format, { ...size.get(), show, split: lineOnPicture() })}` };
    });
    who.textContent = whole.noFiles ? 'opens this view where this file is' : manifest?.is_public ? 'opens this view for everyone' : 'opens this view in this tab, for nobody else';
  }

  const undo = [
    listen(copy, { click: () => void keep.copy(address()) }),
    listen(python, { click: () => void keep.copy(comparedCode(state.get, { folder: state.get.manifest?.folder, address: state.get.whole?.base ?? '' })) }),
    state.on(['comparison', 'maps', 'left', 'right', 'manifest', 'palette', 'opacity', 'sinks', 'smooth', 'places', 'unplacedOn', 'coordinates', 'beside', 'split', 'zoom', 'whole', 'pair', 'region'], offer),
    state.on(['size'], keep.refit),
  ];
  offer();

  return {
    dispose() {
      undo.forEach((end) => end());
      links.dispose();
      keep.dispose();
    },
  };
}
