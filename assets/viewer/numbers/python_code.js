// @ts-check
/**
 * The view on screen as Python that runs as pasted: with this project where the run lies on the same machine, otherwise with NumPy
 * and the address of the run. Knows no document.
 *
 * @typedef {import('../data/run_info.js').Choice} Choice
 *
 * @typedef {object} View  what is on screen
 * @property {string} tower
 * @property {import('../data/selection.js').Direction} direction
 * @property {number} query         the position of the row, or of the column
 * @property {number | null} until  the last of several, of which it is the mean
 * @property {Choice} layer
 * @property {Choice} head
 * @property {number | null} grid   null where its values lie on no picture
 * @property {import('./regions.js').Region} [region]  the place that is measured
 * @property {{name: string, tokens: number[], block: number[], measure: import('./cell_map.js').Measure}} [measured]  the map of cells that is shown instead
 * @property {import('../state/reading.js').Reading | null} [effect]  the forecast that is shown instead of what was read
 */
import { regionPath, sidesOf } from '../data/source.js';
import { effectName, effectsAddress, effectsFromFolder, saidOfEffects, timesInPython } from './effect_code.js';

/**
 * @param {View} view
 * @param {{folder?: string | null, address: string}} run  where it lies, and what serves it
 */
export function pythonCode(view, { folder, address }) {
  const lines = view.measured ? measuredCode(view, view.measured, folder, address) : folder ? fromFolder(view, folder) : fromAddress(view, address);
  return `${lines.join('\n')}\n`;
}

/**
 * A map of cells that was measured: of a run on this machine it is gone on with where it was stopped.
 * @param {View} view @param {NonNullable<View['measured']>} measured @param {string | null | undefined} folder @param {string} address
 */
function measuredCode({ grid }, { name, tokens, block, measure }, folder, address) {
  const said = '# nats of the answer by each block of cells; NaN was not measured';
  if (folder) {
    const paint = measure === 'hidden' ? '' : `, paint=${literal(measure)}`;
    return [
      'from attention import ask_reading, open_run', '', `run = open_run(${literal(folder)})`,
      `found = ask_reading(run, "cells", tokens=[${tokens.join(', ')}], blocks=[${block.join(', ')}]${paint})`, said, `map = found.changes(${grid}, ${literal(measure)})`, 'print(map)',
    ];
  }
  return [
    'import json', 'from urllib.request import urlopen', '', 'import numpy as np', '', '# whoever has this address can read the run', `address = ${literal(address)}`,
    `with urlopen(address + ${literal(`/reading/${name}`)}) as answer:`, '    found = json.load(answer)', said,
    `blocks = next(each for each in found["grids"] if each["grid"] == ${grid})[${literal(measure)}]`, 'map = np.array(blocks, float)  # None becomes NaN', 'print(map)',
  ];
}

/** @param {View} view @param {string} folder */
function fromFolder(view, folder) {
  const { tower, direction, query, until, layer, head, grid, effect } = view;
  if (effect) {
    const name = effectName({ ...view, effect });
    return [
      'import numpy as np', '', 'from attention import forecast_knock_outs, open_run', '', `run = open_run(${literal(folder)})`, `# ${saidOf(view)}`, ...effectsFromFolder({ ...view, effect }),
      ...(grid === null ? peakOf(name, 'run.info', view) : [`map = ${name}[run.tower_cells(${grid}, ${literal(tower)})]`, ...peakOfMap(true)]),
    ];
  }
  const [name, on] = [nameOf(direction), literal(tower)];
  const which = `${literal(layer)}, ${literal(head)}, ${query}`;
  const span = until === null ? '' : `, until=${until}`;
  const values = {
    reads: `run.reduced_row(${which}, ${on}${span})`,
    'read by': `run.reduced_column(${which}, ${on}${span})`,
    received: `run.received(${literal(layer)}, ${on}, head=${literal(head)})`,
  }[direction];
  const isRow = direction === 'reads';
  const map = isRow ? `run.map(${which}, grid=${grid}, tower=${on}${span})` : `${values}[run.tower_cells(${grid}, ${on})]`;
  const place = placeOf(view);
  return [
    `from attention import open_run${place ? ', read_region, region_scores' : ''}`, '',
    `run = open_run(${literal(folder)})`,
    `# ${saidOf(view)}`,
    ...(grid === null ? [`${name} = ${values}`, ...peakOf(name, 'run.info', view)] : [`map = ${map}`, ...peakOfMap()]),
    ...(place ? [
      `place = region_scores(run, read_region(run, [${sidesOf(place.place).replaceAll(',', ', ')}], ${place.image}), ${query}, ${on}${span})`,
      typeof layer === 'number' && typeof head === 'number' ? `share = place.of_head(${layer}, ${head})["region_share"]` : 'share = place.of_head(*place.best(n=1)[0])["region_share"]  # of the head with the most',
      'print(f"{share:.4g} of what is read of pictures lies in the place, {place.uniform:.4g} by chance")',
    ] : []),
  ];
}

/** @param {View} view @param {string} address */
function fromAddress(view, address) {
  const { tower, direction, query, until, layer, head, grid, effect } = view;
  const name = effect ? effectName({ ...view, effect }) : nameOf(direction);
  const times = effect ? timesInPython({ ...view, effect }) : '';
  const fields = new URLSearchParams({ tower, layer: String(layer), head: String(head) });
  if (direction !== 'received') fields.set(direction === 'reads' ? 'query' : 'key', String(query));
  if (direction !== 'received' && until !== null) fields.set('until', String(until));
  const isComputed = direction === 'received' && !effect;
  const path = effect ? `/${effectsAddress({ ...view, effect })}` : `/${name}?${fields}`;
  const read = [
    `with urlopen(address + ${literal(path)}) as answer:`,
    '    dtype = np.dtype(answer.headers["X-Attention-Dtype"]).newbyteorder("<")',
    '    shape = [int(n) for n in answer.headers["X-Attention-Shape"].split(",")]',
    `    ${name} = np.frombuffer(answer.read(), dtype).astype(np.float32).reshape(shape)[0]${times && ` * np.float32(${times})`}`,
  ];
  const wait = [
    `while urlopen(address + ${literal(`/${name}?${fields}`)}).status == 202:  # it is still being computed`,
    '    time.sleep(1)',
  ];
  const own = `info["towers"][${literal(tower)}]["keys"]`;
  const isOneOfTwo = tower === 'cross'; // whose keys are cells, or in a model with an encoder tokens
  const keys = ['language', 'encoder'].includes(tower) ? 'info["tokens"]' : isOneOfTwo ? `info["tokens"] if isinstance(${own}, int) else ${own}` : own;
  return [
    'import json', ...(isComputed ? ['import time'] : []), 'from urllib.request import urlopen', '', 'import numpy as np', '',
    '# whoever has this address can read the run',
    `address = ${literal(address)}`,
    'with urlopen(address + "/run.json") as answer:',
    '    info = json.load(answer)',
    `# ${saidOf(view)}`,
    ...(isComputed ? wait : []),
    ...read,
    ...(grid === null ? peakOf(name, 'info', view) : [
      `grid = info["grids"][${grid}]`,
      'map = np.zeros((grid["rows"], grid["cols"]), np.float32)',
      `for key, cell in enumerate(${keys}):`,
      `    if cell and cell["grid"] == ${grid}:`,
      `        map[cell["row"], cell["col"]] = ${name}[key]`,
      ...peakOfMap(Boolean(effect)),
    ]),
    ...placeFromAddress(view),
  ];
}

/** @param {View} view */
function placeFromAddress(view) {
  const { tower, query, until, layer, head } = view;
  const place = placeOf(view);
  if (!place) return [];
  const isOne = typeof layer === 'number' && typeof head === 'number';
  return [
    `with urlopen(address + ${literal(`/${regionPath({ tower, query, until, region: place })}`)}) as answer:`,
    '    shape = [int(n) for n in answer.headers["X-Attention-Shape"].split(",")]',
    '    chance = float(answer.headers["X-Attention-Chance"].split(",")[0])',
    '    shares = np.frombuffer(answer.read(), "<f4").reshape(shape)[..., 1]  # [layers, heads]',
    ...(isOne ? [`layers = [each["index"] for each in info["towers"][${literal(tower)}]["layers"] if each.get("file")]`, `share = shares[layers.index(${layer}), ${head}]`] : ['share = np.nanmax(shares)  # of the head with the most']),
    'print(f"{share:.4g} of what is read of pictures lies in the place, {chance:.4g} by chance")',
  ];
}

/** The place that is measured in what is on screen. @param {View} view */
function placeOf({ direction, region, effect }) {
  return direction === 'reads' && region && !effect ? region : null;
}

/** What the array is called, as in the files and the routes. @param {View['direction']} direction */
function nameOf(direction) {
  return { reads: 'row', 'read by': 'column', received: 'received' }[direction];
}

/** In words and numbers, without a text that a model wrote. @param {View} view */
function saidOf(view) {
  const { tower, direction, query, until, layer, head, effect } = view;
  const where = `${typeof layer === 'number' ? `layer ${layer}` : `${layer} over layers`}, ${typeof head === 'number' ? `head ${head}` : `${head} over heads`}`;
  const [one, many] = direction === 'reads' ? ['row', 'rows'] : ['position', 'positions'];
  const which = until === null ? `${one} ${query}` : `${many} ${query} to ${until} (mean)`;
  const what = direction === 'reads' ? `what ${which} reads` : direction === 'read by' ? `who reads ${which}` : 'what every key receives, mean over all queries';
  return `${effect ? saidOfEffects({ ...view, effect }) : what}: ${/^[a-z]+$/.test(tower) ? tower : 'other'} tower, ${where}`;
}

/** @param {boolean} [isEffect] */
function peakOfMap(isEffect = false) {
  return [
    `row, col = divmod(int(${isEffect ? 'np.abs(map)' : 'map'}.argmax()), map.shape[1])`,
    `print(f"{map[row, col]:${isEffect ? '+' : ''}.4g} on the cell at row {row}, col {col}; {map.sum():${isEffect ? '+' : ''}.4g} on the picture")`,
  ];
}

/** @param {string} name @param {string} info @param {View} view */
function peakOf(name, info, { tower, direction, effect }) {
  const areTokens = ['language', 'encoder'].includes(tower) || (tower === 'cross' && direction === 'read by');
  const text = areTokens ? `, ${info}["tokens"][peak]["text"]` : '';
  return [`peak = int(${effect ? `np.abs(${name})` : name}.argmax())`, `print(f"{${name}[peak]:${effect ? '+' : ''}.4g} at position {peak}"${text})`];
}

/**
 * A number or a text as Python writes it. JSON's texts are Python's too: the same escapes, and what stands for itself is the same.
 * @param {string | number} value
 */
function literal(value) {
  return JSON.stringify(value);
}
