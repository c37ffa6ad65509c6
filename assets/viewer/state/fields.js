// @ts-check
/** The fields of the state: what is selected, what is shown of it, and what the server has answered. Types alone, no code. */
export {};

/**
 * @typedef {import('../data/run_info.js').RunInfo} RunInfo
 * @typedef {import('../data/run_info.js').Choice} Choice
 * @typedef {import('../data/selection.js').Selection} Selection
 * @typedef {{id: string, ticket: string, kind: string, is_public?: boolean, folder?: string, keeps_view?: boolean, view?: import('../data/selection.js').View}} Manifest
 * @typedef {{grid: number, row: number, col: number}} Pinned
 *
 * @typedef {object} Shown  the row (or column) on screen and the map made of it: what is painted, not what is wished
 * @property {import('./reading.js').Reading | null} effect  the forecast whose numbers these are: effects in nats, signed, reductions are sums; null of attention
 * @property {string} tower
 * @property {import('../data/selection.js').Direction} direction
 * @property {number} query
 * @property {number | null} until   the last of several rows, of which this is the mean
 * @property {number} token
 * @property {Choice} layer
 * @property {Choice} head
 * @property {number | null} grid
 * @property {Float32Array} row      [keys] or, of a column, [queries], after choosing or reducing heads and layers
 * @property {{values: Float32Array, count: number}} heads  the same before heads were chosen: [heads, keys], with one head where the server reduced them
 * @property {Float32Array} cells    the row's values on the grid, empty where they make no map
 * @property {number} mass           on the grid
 * @property {Map<number, number>} masses  on each grid
 * @property {number} imageMass      on all of them
 * @property {number} argmax         the cell with the largest value; of effects that with the largest of either sign
 * @property {import('../numbers/sinks.js').SinkCells} sinks
 * @property {'float16' | 'float32'} dtype
 * @property {'stored' | 'factors' | 'forecast'} source
 *
 * @typedef {{name: string, values: Float32Array, positions: number[]}} Table  numbers about the row on screen, by the name of their wish
 *
 * @typedef {object} RunFields
 * @property {'empty' | 'loading' | 'row' | 'ready' | 'error'} status
 * @property {import('../data/source.js').RequestFailed | null} failure
 * @property {string} notice         something to be said beside what is shown
 * @property {{kind: string, words: string} | null} lost  what the address names and this page may not open; it is the notice then
 * @property {Manifest | null} manifest
 * @property {import('../data/source.js').Source | null} source
 * @property {RunInfo | null} info
 * @property {string} tower
 * @property {Selection | null} selection  what is wished
 * @property {number | null} grid          of the selection
 * @property {{done: number, total: number} | null} computing  how far the server is with what was asked for
 * @property {Shown | null} shown
 * @property {import('../numbers/coloured_map.js').Drawn | null} drawn  how the map on screen is painted
 * @property {import('../numbers/atlas.js').Atlas | null} atlas
 * @property {Table | null} masses   [layers, heads, groups]
 * @property {Table | null} scores   [layers, heads], by which heads are ordered
 * @property {Table | null} line     [positions], the image mass of every stored row in this layer and head
 * @property {Pinned | null} pinned  a cell that heads can be ordered by
 * @property {import('../numbers/regions.js').Region | null} region  a place that a person has drawn or chosen
 * @property {import('../numbers/regions.js').Region[]} loaded  several places that a person has loaded
 * @property {boolean} marking  a press on the picture draws
 * @property {import('./region_follow.js').Measured | null} measured  all that is known of the place, while it is marked
 * @property {import('./reading.js').Reading | null} reading  the forecast whose effects are wished, null where it is the attention
 * @property {import('./readings.js').MadeReading[]} forecasts  that there are of the run, as far as is known
 * @property {import('./readings.js').MadeReading[]} relatives  likewise, relative attention
 * @property {import('./trials.js').Trial | null} trial  the last of the answer without a place or a head
 * @property {import('../numbers/cell_map.js').Measure} how  a place is left out: a marked one, and each cell of a map
 * @property {import('./trials.js').Silence} silence  what a head gives instead
 * @property {import('../numbers/cell_map.js').CellMap | null} cells  what hiding each cell does, as far as it was measured
 * @property {boolean} cellsShown  on the picture, in the place of what is read
 * @property {import('../numbers/agreement.js').KeptAgreement | null} agreement  of maps with hiding and painting, on this input
 * @property {import('./readings.js').AskedReadings} readings  what was asked of the finished run, the last of each kind
 * @property {import('./lens.js').Lens | null} lens  the logit lens, while its words are shown
 * @property {import('../text/lens.js').Words | null} words  of every token after the layer on screen
 * @property {import('../data/found_heads.js').FoundHeads | null} found  heads of a file, which stay while runs come and go
 * @property {boolean} pictureReady
 * @property {boolean} pictureFailed
 * @property {number | null} unplacedOn  the picture that a person chose for places that the answer names on none
 * @property {{row: number, col: number} | null} hover
 * @property {{scale: number, x: number, y: number}} zoom  1 shows the whole picture; x and y, 0 to 1, are what lies in the middle
 * @property {null | 'layers' | 'tokens' | 'frames'} playing
 * @property {number | null} frame  the picture that is wished, of those that share a grid
 * @property {number} cleared  counts Escape
 * @property {number} lookAsked  counts wishes for the answer's numbers among the settings of the look
 * @property {number} size   counts changes of size
 * @property {number} theme  counts changes of theme
 * @property {Record<string, number>} perf  milliseconds of the last: row_ms (choice to painted), atlas_ms (painting)
 *
 * @typedef {RunFields & import('./look.js').Look} Fields
 * @typedef {ReturnType<typeof import('./state.js').createState<Fields>>} ViewerState
 */

/** @typedef {'' | 'direct' | 'inherited'} Part  by a layer's own weights, or by what enters it */

/**
 * @typedef {object} ComparedFields
 * @property {import('../data/source.js').Source | null} whole   of the comparison itself; `source` is that of the base's run
 * @property {import('../data/source.js').Source[]} sources      by member
 * @property {import('../data/comparison_info.js').ComparisonInfo | null} comparison
 * @property {import('../data/run_info.js').RunInfo[]} wholeInfos  by member
 * @property {import('../data/run_info.js').RunInfo[]} infos     less what they do not share; `info` is the base's
 * @property {number} left     the members that are set against each other
 * @property {number} right    always an adapter
 * @property {import('../numbers/pair.js').Pair | null} pair  what is on screen of them
 * @property {import('../numbers/pair.js').Maps | null} maps
 * @property {(Shown | null)[]} rows  of all members, as far as they are here
 * @property {string} measure
 * @property {'mean' | 'token'} of   what the matrix is of
 * @property {Part} part       of the change: '' all of it
 * @property {boolean} hidesNoise  heads whose change lies below the noise floor are not painted
 * @property {import('../numbers/noise.js').Floors | null} floors  of the change on screen, where it has any
 * @property {import('../numbers/noise.js').Floors | null} logprobFloors
 * @property {Table | null} change   [layers, heads]
 * @property {Table | null} imageMasses  the smaller one of base and adapter, [layers, heads]
 * @property {import('./own_heads.js').OwnHead[]} own  by member, where no head stands for another; else empty
 * @property {import('./best_follow.js').BestHeads | null} best  heads of the two by what they put in the place, or on pictures, there
 * @property {import('../data/source.js').Numbers | null} logprobs   [members, tokens of the answer]
 * @property {import('../numbers/atlas.js').Atlas[]} atlases   of the two, while a scale needs them
 * @property {string} atlasesOf
 * @property {{name: string, tables: Float32Array[]} | null} steps
 * @property {import('./comparison_view.js').ListName} list  that is open
 * @property {boolean} magnified  the difference is on a scale of its own
 * @property {number} split    where the line of the wipe is, 0 to 1
 * @property {import('./comparison_view.js').PaneName | null} alone  the pane that has all the room
 *
 * @typedef {Fields & ComparedFields} ComparisonFields
 * @typedef {ReturnType<typeof import('./state.js').createState<ComparisonFields>>} ComparisonState
 */
