// @ts-check
/**
 * What the page reads of run.json (formats 1 and 2), and small questions about it. Knows no document.
 *
 * @typedef {object} Token
 * @property {number} index
 * @property {number} id
 * @property {string} text
 * @property {'system' | 'prompt' | 'image' | 'answer' | 'thinking' | 'special'} role
 * @property {number | null} grid
 * @property {number | null} row
 * @property {number | null} col
 * @property {number} [part_of]  the first token of the sign that this one is a later piece of
 *
 * @typedef {object} Grid
 * @property {number} image
 * @property {string} tower
 * @property {'whole' | 'tile' | 'thumbnail' | 'frame'} kind
 * @property {number[]} box_px  x0, y0, x1, y1 on the image
 * @property {number} rows
 * @property {number} cols
 * @property {number[]} [row_edges_px]  where its rows begin and end on the image, rows + 1 of them; without, they are equal
 * @property {number[]} [col_edges_px]
 * @property {number | null} [time_s]  of a frame, the middle of those that were read together
 * @property {number[]} [images]  of frames that were read together: all pictures that its cells were made from
 *
 * @typedef {object} Picture
 * @property {string} file
 * @property {string} preview
 * @property {number} width
 * @property {number} height
 * @property {number} read_width
 * @property {number} read_height
 * @property {number | null} [visual_tokens]      with which it was read
 * @property {number | null} [own_visual_tokens]  as the processor's own limits would have it
 * @property {number} [video]   of a frame: the number of its video
 * @property {number} [time_s]  of a frame: seconds from the start of the video
 *
 * @typedef {object} Layer
 * @property {number} index
 * @property {string} [kind]  softmax, or of layers without a file linear, convolution
 * @property {string | null} [file]
 * @property {number} [kv_heads]  heads of keys and values; several heads may share one
 * @property {number} [head_dim]
 * @property {boolean} [learned_sink]  whether a row lacks to 1 what its head put on a learned sink, which is no key
 *
 * @typedef {object} Tower
 * @property {number} heads
 * @property {number | ({grid: number, row: number, col: number} | null)[]} keys
 * @property {number} [queries]           where what reads are tokens, and keys are not
 * @property {number[][]} [query_tokens]  spans of the tokens that read there, where not all do
 * @property {number[][]} [key_tokens]    spans of the tokens that are read there, where not all are
 * @property {Layer[]} layers
 *
 * @typedef {object} Point  a place that the answer names, in the image's pixels
 * @property {number} image
 * @property {number} x
 * @property {number} y
 * @property {string} label
 * @property {string} [ambiguous]  the guess that it rests on
 * @property {string | null} [coordinates]  the space in which its numbers were read
 * @property {string | null} [because]      what that rests on
 *
 * @typedef {object} Box  likewise
 * @property {number} image
 * @property {number} x0
 * @property {number} y0
 * @property {number} x1
 * @property {number} y1
 * @property {string} label
 * @property {string} [ambiguous]
 * @property {string | null} [coordinates]
 * @property {string | null} [because]
 *
 * @typedef {{label: string, why: string, on: (Point | Box)[]}} Unplaced  the same on each picture that it can lie on
 * @typedef {{points: Point[], boxes: Box[], unplaced: Unplaced[], named_places: number, notes: string[]}} Places  with numbers read anew
 *
 * @typedef {object} RunInfo
 * @property {string} id
 * @property {{id: string, revision?: string | null, family?: string | null, dtype?: string}} model
 * @property {{id: string, scale?: number} | null} adapter
 * @property {string} [prompt]
 * @property {Token[]} tokens
 * @property {Picture[]} images
 * @property {Grid[]} grids
 * @property {Record<string, Tower>} towers
 * @property {Record<string, {layers: number, heads: number, why: string}>} [unread_towers]  whose rows cannot be kept
 * @property {Point[]} [points]
 * @property {Box[]} [boxes]
 * @property {Unplaced[]} [unplaced]
 * @property {number | null} [named_places]  how many the answer names, those that lie on no picture among them
 * @property {object | null} [place_habit]   how its family writes them; without, they cannot be read anew
 * @property {boolean} [forced]              the answer was given, and is not the model's own
 * @property {number[]} [logprobs]  of each token that the model wrote
 * @property {Record<string, {name: string, spans: number[][] | null}[]>} groups  of keys, by tower; `sink` has no spans
 * @property {Record<string, Record<string, number[]>>} [sinks]  keys, by tower and layer
 *
 * @typedef {RunInfo & {places_read?: string, place_notes?: string[], has_own_places?: boolean}} ReadInfo  one whose places may have been read anew: in which space, what was said of that; `has_own_places`: of an answer that it has not read
 *
 * @typedef {number | 'mean' | 'max'} Choice  a layer or a head, or a reduction over all of them
 */

/**
 * The layers that have attention, by their index in the model; the order of every layer axis.
 * @param {RunInfo} info
 * @param {string} tower
 */
export function layersOf(info, tower) {
  return info.towers[tower].layers.filter((layer) => layer.file).map((layer) => layer.index);
}

/**
 * The layers that have no map, by their place on a layer axis: those before each that has one, and last those after all of them.
 * @param {RunInfo} info
 * @param {string} tower
 * @returns {Layer[][]}
 */
export function skippedLayers(info, tower) {
  /** @type {Layer[][]} */
  const skipped = [[]];
  for (const layer of info.towers[tower].layers) {
    if (layer.file) skipped.push([]);
    else skipped[skipped.length - 1].push(layer);
  }
  return skipped;
}

/**
 * What the answer names on one picture, with those that may lie on any once that picture is chosen for them.
 * @param {RunInfo} info
 * @param {number} image
 * @param {boolean} isChosen
 */
export function placesOn(info, image, isChosen) {
  const more = isChosen ? (info.unplaced ?? []).flatMap(({ on }) => on) : [];
  const here = [...(info.points ?? []), ...(info.boxes ?? []), ...more].filter((place) => place.image === image);
  return { points: here.filter((place) => 'x' in place), boxes: here.filter((place) => 'x0' in place) };
}

/** How many places the answer names. @param {RunInfo} info */
export function placeCount({ points = [], boxes = [], unplaced = [] }) {
  return points.length + boxes.length + unplaced.length;
}

/** @param {RunInfo} info @param {string} tower */
export function headCount(info, tower) {
  return info.towers[tower].heads;
}

/** @param {RunInfo} info @param {string} tower */
export function headsOf(info, tower) {
  return Array.from({ length: headCount(info, tower) }, (_, head) => head);
}

/**
 * The tower to begin with: the one with which text reads the pictures.
 * @param {RunInfo} info
 * @returns {string}
 */
export function firstTower(info) {
  return info.towers.cross && gridsOf(info, 'cross').length ? 'cross' : 'language';
}

/**
 * Whether the keys of a tower are tokens, and no patches.
 * @param {RunInfo} info
 * @param {string} tower
 */
export function keysAreTokens(info, tower) {
  return info.towers[tower] !== undefined && !Array.isArray(info.towers[tower].keys);
}

/**
 * Whether what reads in a tower are tokens, and no patches.
 * @param {RunInfo} info
 * @param {string} tower
 */
export function queriesAreTokens(info, tower) {
  return keysAreTokens(info, tower) || info.towers[tower]?.queries !== undefined;
}

/**
 * Whether the cells of a tower read too. By cross-attention they are read, and read nothing.
 * @param {RunInfo} info
 * @param {string} tower
 */
export function cellsRead(info, tower) {
  if (!keysAreTokens(info, tower)) return !queriesAreTokens(info, tower);
  const { query_tokens, key_tokens } = info.towers[tower];
  return JSON.stringify(query_tokens) === JSON.stringify(key_tokens);
}

/**
 * Whether a token reads in a tower (has a row), or is read there (has a column).
 * @param {RunInfo} info
 * @param {string} tower
 * @param {'reads' | 'read by' | 'received'} direction
 * @param {number} token
 */
export function isTokenOf(info, tower, direction, token) {
  if (!(direction === 'read by' ? keysAreTokens : queriesAreTokens)(info, tower)) return false;
  const spans = info.towers[tower][direction === 'read by' ? 'key_tokens' : 'query_tokens'];
  return !spans || spans.some(([first, end]) => first <= token && token < end);
}

/**
 * The grids of a tower, as indices into run.json's list.
 * @param {RunInfo} info
 * @param {string} tower
 */
export function gridsOf(info, tower) {
  return info.grids.map((_, index) => index).filter((index) => {
    const of = info.grids[index].tower;
    if (of === tower || !keysAreTokens(info, of) || !keysAreTokens(info, tower)) return of === tower;
    return isTokenOf(info, tower, 'read by', keysOfGrid(info, index)[0]); // tokens that an encoder reads, and its decoder reads there
  });
}

/**
 * The only grid that a token reads where tokens of a picture are made of its patches: of its own view, of which all have as many tokens. Null
 * in every other tower.
 * @param {RunInfo} info
 * @param {string} tower
 * @param {number} token
 */
export function gridReadBy(info, tower, token) {
  const [grids, own] = [gridsOf(info, tower), tokensOfViews(info, tower)];
  return own.length ? grids[Math.floor((own.indexOf(token) * grids.length) / own.length)] ?? null : null;
}

/**
 * The token of another view in the place that this one has in its own.
 * @param {RunInfo} info
 * @param {string} tower
 * @param {number} token
 * @param {number} grid  of that view
 */
export function tokenReading(info, tower, token, grid) {
  const [grids, own] = [gridsOf(info, tower), tokensOfViews(info, tower)];
  const each = own.length / grids.length;
  return own[grids.indexOf(grid) * each + (Math.max(0, own.indexOf(token)) % each)];
}

/** The tokens that are made of patches, view by view. @param {RunInfo} info @param {string} tower */
function tokensOfViews(info, tower) {
  const spans = keysAreTokens(info, tower) ? [] : info.towers[tower].query_tokens ?? [];
  return spans.flatMap(([first, end]) => Array.from({ length: end - first }, (_, place) => first + place));
}

/**
 * The pictures of a tower one after the other, each with the grid that lies on it; frames that were read together share one.
 * @param {RunInfo} info
 * @param {string} tower
 */
export function picturesOf(info, tower) {
  return gridsOf(info, tower).flatMap((grid) => (info.grids[grid].images ?? [info.grids[grid].image]).map((image) => ({ grid, image })));
}

/**
 * The picture that is shown below a grid: its first, or the one of those that were read together that is wished.
 * @param {RunInfo} info
 * @param {number} grid
 * @param {number | null} frame
 */
export function shownPicture(info, grid, frame) {
  const { image, images } = info.grids[grid];
  return frame !== null && images?.includes(frame) ? frame : image;
}

/**
 * The video that a picture is a frame of, where the run has several: each begins at 0 s. Else ''.
 * @param {RunInfo} info
 * @param {number} image
 */
export function videoName(info, image) {
  const { video } = info.images[image];
  return video !== undefined && info.images.some((other) => other.video !== undefined && other.video !== video) ? `video ${video + 1}` : '';
}

/** Seconds as they are written beside a frame. @param {number} seconds */
export function timeText(seconds) {
  return `${Number(seconds.toFixed(2))} s`;
}

/** @type {WeakMap<RunInfo, Map<number, Int32Array>>} */
const cellKeys = new WeakMap();

/**
 * The key that stands for each cell of a grid, row by row; found once.
 * @param {RunInfo} info
 * @param {number} grid
 */
export function keysOfGrid(info, grid) {
  const found = cellKeys.get(info) ?? new Map();
  cellKeys.set(info, found);
  if (!found.has(grid)) found.set(grid, findKeys(info, grid));
  return /** @type {Int32Array} */ (found.get(grid));
}

/** @param {RunInfo} info @param {number} grid */
function findKeys(info, grid) {
  const { rows, cols, tower } = info.grids[grid];
  const keys = new Int32Array(rows * cols).fill(-1);
  const owners = keysAreTokens(info, tower) ? info.tokens : info.towers[tower].keys;
  /** @type {any[]} */ (owners).forEach((owner, key) => {
    if (owner && owner.grid === grid) keys[owner.row * cols + owner.col] = key;
  });
  return keys;
}

/**
 * Whether two runs were asked the same about the same pictures: what was looked at in one can be looked at in the other.
 * @param {RunInfo} one
 * @param {RunInfo} other
 */
export function asksTheSame(one, other) {
  const asked = (/** @type {RunInfo} */ info) => JSON.stringify([
    info.tokens.slice(0, promptLength(info)).map(({ id }) => id), info.images.map(({ width, height }) => [width, height]),
  ]);
  return asked(one) === asked(other);
}

/**
 * The first token that the model wrote: the start of the answer (with its thinking) that ends the sequence. The number of
 * tokens when there is none. Answers of earlier turns are part of the prompt.
 * @param {RunInfo} info
 */
export function promptLength(info) {
  const { tokens } = info;
  let start = tokens.length;
  for (let i = tokens.length - 1; i >= 0; i--) {
    const { role } = tokens[i];
    if (role === 'answer' || role === 'thinking') start = i;
    else if (role !== 'special') break;
  }
  return start;
}

/** The tokens of the answer that are no control tokens, or where it has no others all of them: what is asked about unless some are named. @param {RunInfo} info */
export function answerTokens(info) {
  const answer = info.tokens.slice(promptLength(info));
  const words = answer.filter(({ role }) => role !== 'special');
  return (words.length ? words : answer).map(({ index }) => index);
}

/** The tower in whose rows text reads pictures. @param {RunInfo} info */
export function towerOfPictures({ grids }) {
  return grids.some(({ tower }) => tower === 'cross') ? 'cross' : 'language';
}

/**
 * What the grids of a tower are called: the picture where there are several, the kind where it is not the whole, the time of a
 * frame; numbered where a picture has several of a kind.
 * @param {RunInfo} info
 * @param {string} tower
 * @returns {Map<number, string>}
 */
export function gridNames(info, tower) {
  const grids = gridsOf(info, tower);
  const hasSeveral = new Set(grids.map((index) => info.grids[index].image)).size > 1;
  return new Map(grids.map((index) => {
    const { image, kind, time_s } = info.grids[index];
    const alike = grids.filter((other) => info.grids[other].image === image && info.grids[other].kind === kind);
    const own = kind === 'whole' ? '' : alike.length > 1 ? `${kind} ${alike.indexOf(index) + 1}` : kind;
    const time = typeof time_s === 'number' ? timeText(time_s) : '';
    const picture = kind === 'frame' ? (hasSeveral ? frameName(info.grids[index]) : own) : [hasSeveral || !own ? `image ${image + 1}` : '', own].filter(Boolean).join(' ');
    return [index, [picture, time].filter(Boolean).join(' · ')];
  }));
}

/** "frames 3–4", which were read together, by their numbers among all pictures. @param {Grid} grid */
export function frameName({ image, images = [image] }) {
  return images.length > 1 ? `frames ${images[0] + 1}–${images[images.length - 1] + 1}` : `frame ${image + 1}`;
}

/**
 * The name of what was run: the model, and the adapter on it.
 * @param {RunInfo} info
 */
export function modelName(info) {
  return info.adapter ? `${info.model.id} + ${info.adapter.id}` : info.model.id;
}

/**
 * "1920×1080, read at 1366×768", or null when the processor read the picture as it is.
 * @param {Picture} picture
 */
export function readNote(picture) {
  const { width, height, read_width, read_height } = picture;
  if (!read_width || (read_width === width && read_height === height)) return null;
  const smaller = read_width * read_height < width * height;
  return `${width}×${height}, read at ${read_width}×${read_height}${smaller ? ': the answer may differ' : ''}`;
}
