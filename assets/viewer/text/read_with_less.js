// @ts-check
/** What is said of pictures that a limit has in fewer visual tokens than the model's processor would give them: as `attention/words.py`. Knows no document. */

/** The pictures of which that is so; of a video one frame, as all have the same. @param {import('../data/run_info.js').RunInfo} info */
function fewer({ images }) {
  const found = images.flatMap(({ visual_tokens: read, own_visual_tokens: own, video }, i) => (read && own && read < own ? [{ number: i + 1, read, own, video }] : []));
  return found.filter(({ video }, i) => video === undefined || found.findIndex((other) => other.video === video) === i);
}

/** A sentence for each. @param {import('../data/run_info.js').RunInfo} info @returns {string[]} */
export function readWithLess(info) {
  const [said, isOne] = [(/** @type {number} */ count) => count.toLocaleString('en'), info.images.length === 1];
  return fewer(info).map(({ number, read, own, video }) =>
    `${video !== undefined ? `Frames of video ${video + 1} read` : isOne ? 'Read' : `Picture ${number} read`} with ${said(read)} of ${said(own)} visual tokens; training may have used more.`);
}

/** With how many tokens a picture all of them would be read whole. @param {import('../data/run_info.js').RunInfo} info */
export function tokensForAll(info) {
  return Math.max(0, ...fewer(info).map(({ own }) => own));
}
