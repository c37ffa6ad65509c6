// @ts-check
/** The pictures and videos of a question: dropped, pasted or chosen, shown small, taken away again. Names of files go in as text. */
import { create, listen, part } from './views/dom.js';

/**
 * @typedef {{path: string, url?: string | null, orig_name?: string | null, meta: {_type: string}}} Uploaded
 *
 * @param {object} component
 * @param {HTMLElement} component.element
 * @param {{value: Uploaded[] | null, most?: number, videos?: string[]}} component.props  `videos`: endings of their files
 * @param {(name: string, listener: () => void) => void} component.watch
 * @param {(file: File) => Promise<{path: string, url?: string}>} component.upload
 */
export function mount({ element, props, watch, upload }) {
  const tray = part(element, 'tray');
  const [thumbs, add, said] = ['tray-thumbs', 'tray-add', 'tray-said'].map((name) => part(element, name));
  const input = /** @type {HTMLInputElement} */ (add.querySelector('input'));
  const most = props.most ?? 8;
  /** @param {Uploaded} file */
  const isVideo = ({ orig_name: name, path }) => (props.videos ?? []).some((ending) => (name ?? path).toLowerCase().endsWith(ending));
  let waiting = 0; // pictures on their way

  const held = () => (Array.isArray(props.value) ? props.value : []); // Gradio says "" of nothing

  function show() {
    thumbs.replaceChildren(...held().map((file, i) => {
      const name = file.orig_name ?? `picture ${i + 1}`;
      const picture = isVideo(file)
        ? create('video', { title: name, src: file.url ?? '', preload: 'metadata', 'aria-label': name })
        : create('img', { alt: name, title: name, src: file.url ?? '', draggable: false });
      const remove = create('button', { type: 'button', class: 'av-tray-remove', text: '×', 'aria-label': `Remove picture ${i + 1}` });
      remove.addEventListener('click', () => put(held().filter((_, other) => other !== i)));
      return create('span', { class: 'av-tray-thumb' }, [picture, remove]);
    }));
    tray.dataset.count = String(held().length);
    tray.toggleAttribute('data-waiting', waiting > 0);
    add.hidden = held().length >= most;
  }

  /** @param {Uploaded[]} files */
  function put(files) {
    props.value = files;
    show();
  }

  /** @param {File[]} files */
  async function take(files) {
    const room = most - held().length - waiting;
    const taken = files.slice(0, Math.max(0, room));
    said.textContent = files.length > taken.length ? `At most ${most} pictures; ${files.length - taken.length} left out.` : '';
    waiting += taken.length;
    show();
    // one after the other: they keep their order
    for (const file of taken) {
      try {
        const { path, url } = await upload(file);
        put([...held(), { path, url: url ?? null, orig_name: file.name, meta: { _type: 'gradio.FileData' } }]);
      } catch (error) {
        said.textContent = `${file.name} could not be uploaded: ${error instanceof Error ? error.message : error}`;
      }
      waiting--;
      show();
    }
  }

  /** Files that are pasted or dropped; where there are none, the event is left to the page. @param {DataTransfer | null} data @param {Event} event */
  function received(data, event) {
    const files = [...(data?.files ?? [])];
    if (!files.length || !element.checkVisibility()) return;
    event.preventDefault();
    void take(files);
  }

  function chosen() {
    void take([...(input.files ?? [])]);
    input.value = '';
  }

  const undo = [
    listen(input, { change: chosen }),
    listen(document, {
      paste: (/** @type {ClipboardEvent} */ event) => (element.isConnected ? received(event.clipboardData, event) : undo.forEach((end) => end())),
      dragover: (/** @type {DragEvent} */ event) => {
        if (!element.isConnected || !element.checkVisibility() || !event.dataTransfer?.types.includes('Files')) return;
        event.preventDefault();
        tray.dataset.over = '';
      },
      dragleave: () => { delete tray.dataset.over; },
      drop: (/** @type {DragEvent} */ event) => {
        delete tray.dataset.over;
        if (element.isConnected && !event.defaultPrevented) received(event.dataTransfer, event);
      },
    }),
  ];
  watch('value', show);
  show();
  if (input.files?.length) chosen(); // who was quicker than the page
}
