// @ts-check
/**
 * The picture of a pane: its preview, and its own resolution laid over that once the preview has fewer pixels than the screen. Where it
 * lies is told.
 */
import { create, listen, setBox } from '../dom.js';

/** @typedef {{preview: string, full: string, alt: string}} Addresses */

/**
 * @param {HTMLElement} clip     where the images go, below all that is there
 * @param {(isThere: boolean) => void} loaded  the preview came, or cannot be had
 */
export function createPanePicture(clip, loaded) {
  /** @type {Addresses | null} */
  let addresses = null;
  /** @type {HTMLImageElement | null} */
  let preview = null;
  /** @type {HTMLImageElement | null} the picture in its own resolution, once it is wanted */
  let full = null;
  let box = { left: 0, top: 0, width: 1, height: 1 }; // CSS pixels
  let pixels = 0; // of the screen, across; 0 where the preview is enough

  /** The picture in its own resolution, where its preview has fewer pixels than the screen: laid over that once it is decoded. */
  function sharpen() {
    if (!addresses || !preview?.naturalWidth || full || pixels <= preview.naturalWidth) return;
    const image = create('img', { class: 'av-picture av-full', alt: '', draggable: false });
    full = image;
    image.src = addresses.full;
    image.decode().then(() => {
      if (full !== image) return;
      preview?.after(image);
      setBox(image, box);
    }, () => {}); // the preview stays
  }

  return {
    /** @param {Addresses | null} next */
    load(next) {
      for (const image of [preview, full]) image?.remove();
      preview = full = null;
      addresses = next;
      if (!next) return;
      const image = create('img', { class: 'av-picture', alt: next.alt, draggable: false });
      preview = image;
      listen(image, {
        load: () => { if (preview === image) { loaded(true); sharpen(); } },
        error: () => { if (preview === image) { image.classList.add('av-missing'); loaded(false); } },
      });
      image.src = next.preview;
      clip.prepend(image);
      setBox(image, box);
    },

    /**
     * @param {{left: number, top: number, width: number, height: number}} at  CSS pixels
     * @param {number} wide  so many pixels the screen has for it; 0 where the preview is enough
     */
    place(at, wide) {
      [box, pixels] = [at, wide];
      for (const image of [preview, full]) if (image) setBox(image, box);
      sharpen();
    },
  };
}
