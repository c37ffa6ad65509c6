// @ts-check
/**
 * The menu "Keep" of a comparison: its maps as pictures, each alone or side by side, all of it as a zip, and the address of the view.
 * Pictures are painted here, from what is on screen, as the difference is on no server.
 */
import { captionOf, pictureName } from './comparison_caption.js';
import { memberName } from './comparison_info.js';
import { differenceLabels } from './comparison_words.js';
import { create, listen } from './dom.js';
import { fileName } from './keep_files.js';
import { createKeepMenu, createPngSize, failureWords, fetched, keepRow } from './keep_menu.js';
import { divergingPixels, overlayPixels, solidPixels } from './palette.js';
import { drawPicture, fits, pngOf, sideBySide } from './picture_file.js';
import { barLabels, position } from './scale.js';
import { signedPosition } from './comparison_maps.js';

/** @typedef {'before' | 'after' | 'difference'} Kept */

const ALL = /** @type {const} */ (['before', 'after', 'difference']);

/**
 * @param {Element} root
 * @param {import('./comparison.js').ComparisonState} state
 * @param {{address: () => string}} page  the address of what is on screen
 */
export function createComparisonKeep(root, state, { address }) {
  const keep = createKeepMenu(root, { title: 'these maps as pictures, or the address of this view', text: 'The address of this view', toggled: offer });
  const size = createPngSize();
  /** @type {[string, string, readonly Kept[]][]} */
  const offered = [['before', 'the first map', ['before']], ['after', 'the second map', ['after']], ['difference', 'their difference', ['difference']], ['all', 'all three side by side', ALL]];
  const buttons = offered.map(([name, title, which]) => {
    const button = create('button', { type: 'button', class: 'av-toggle av-keep-file', title: `${title}, as PNG, as large as the picture itself`, 'data-keep': name });
    button.addEventListener('click', () => void save(name, which));
    return button;
  });
  const copy = create('button', { type: 'button', class: 'av-toggle', text: 'Copy address' });
  const who = create('span', { class: 'av-keep-who' });
  const zip = create('button', {
    type: 'button', class: 'av-toggle av-keep-file', text: 'whole comparison (zip)', 'data-keep': 'zip',
    title: 'every run and every measure, as a zip that can be opened here again',
  });
  keep.fill(keepRow('Picture', buttons), size.row, keepRow('Files', [zip]), keepRow('View', [copy, who]));
  let asked = 0;

  function offer() {
    const { comparison, maps, left, right, manifest } = state.get;
    keep.enable(Boolean(comparison));
    if (!keep.isOpen() || !comparison) {
      asked++; // what is still being painted is not wanted any more
      return;
    }
    const names = [left, right].map((member) => memberName(comparison.members, member));
    [...names, 'difference', 'side by side'].forEach((text, i) => {
      buttons[i].textContent = text;
      buttons[i].disabled = !maps;
    });
    who.textContent = manifest?.is_public ? 'opens this view for everyone' : 'opens this view in this tab, for nobody else';
  }

  /** @param {string} name @param {readonly Kept[]} which */
  async function save(name, which) {
    const now = ++asked;
    keep.say('Preparing …');
    try {
      const found = await drawn(which);
      const content = await pngOf(found);
      if (now !== asked) return;
      const file = pictureName(state.get, name);
      keep.saveBlob(content, file);
      keep.say(file);
    } catch (error) {
      if (now === asked) keep.say(failureWords(error, 'comparison'), true);
    }
  }

  /** It is asked for only to learn whether it is there, and then left to the browser: it is large. */
  async function saveAll() {
    const now = ++asked;
    const asking = new AbortController();
    const address = `${state.get.whole?.base}/export?format=zip`;
    keep.say('Preparing …');
    try {
      const response = await fetched(address, asking.signal);
      asking.abort();
      if (now !== asked) return;
      const file = fileName(response.headers.get('Content-Disposition'));
      keep.save(address, file);
      keep.say(file);
    } catch (error) {
      if (now === asked) keep.say(failureWords(error, 'comparison'), true);
    }
  }

  /** @param {readonly Kept[]} which */
  async function drawn(which) {
    const fields = { ...state.get }; // of one moment, whatever is chosen meanwhile
    const { comparison, info, infos, pair, maps, source, palette, beside, smooth, opacity, places } = fields;
    if (!comparison || !info || !pair || !maps || !source || pair.before.grid === null) throw new Error('There is no map to be kept.');
    const { scale, caption } = size.get();
    const grid = info.grids[pair.before.grid];
    const own = info.images[grid.image];
    if (!fits({ width: own.width * scale, height: own.height * scale }, which.length)) throw new Error('A picture that large cannot be painted here. Choose a smaller one, or fewer.');
    const picture = beside ? null : await createImageBitmap(await (await fetched(source.imageAddress(grid.image))).blob());
    const names = [pair.left, pair.right].map((member) => memberName(comparison.members, member));
    const columns = which.map((name) => {
      const isDifference = name === 'difference';
      const { values, hidden, range } = maps[name];
      const place = (/** @type {number} */ value) => (isDifference ? signedPosition(range, value) : position(range, value));
      const colours = isDifference ? divergingPixels(false, !beside) : beside ? solidPixels(palette) : overlayPixels(palette);
      const named = infos[name === 'before' ? pair.left : pair.right];
      const isHere = (/** @type {{image: number}} */ { image }) => image === grid.image;
      const canvas = drawPicture({
        picture, isFaint: isDifference, size: own, grid, map: { values, hidden, place, colours }, smooth, opacity: beside ? 1 : opacity,
        places: places && !isDifference ? { points: (named.points ?? []).filter(isHere), boxes: (named.boxes ?? []).filter(isHere) } : null,
      }, scale);
      return {
        canvas, name: { before: names[0], after: names[1], difference: `difference: ${names[1]} − ${names[0]}` }[name],
        colours: isDifference ? divergingPixels(false, false) : solidPixels(palette), labels: isDifference ? { unit: barLabels(maps.before.range).unit, ...differenceLabels(pair, maps.difference) } : barLabels(range),
      };
    });
    picture?.close();
    return sideBySide(columns, caption ? captionOf(fields) : null);
  }

  const undo = [
    listen(copy, { click: () => void keep.copy(address()) }),
    listen(zip, { click: () => void saveAll() }),
    state.on(['comparison', 'maps', 'left', 'right', 'manifest'], offer),
    state.on(['size'], keep.refit),
  ];
  offer();

  return {
    dispose() {
      asked++;
      undo.forEach((end) => end());
      keep.dispose();
    },
  };
}
