"""Answers about one run: rows, columns, atlases, masses, scores, pictures.

Knows runs by the methods of `Run`. `asked` is a query: the fields of an address by their names. With `reading=NAME` the
numbers are those of a reading of the run, signed, float32; then a query may be left out, which is all rows together.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from attention.coordinates import AUTO
from attention.errors import NotInRun, quoted
from attention.kinds.kept import find_reading, run_as_read
from attention.measures import regions
from attention.places.of_run import run_places
from attention.readings.lens import Lens
from attention.runs.pooling import pooled_shape
from attention.runs.regions import read_region, region_scores

from .numbers import Answer, numbers, position_ranges
from .query import BadQuery, Query, read_number, read_number_or_word, read_place, read_tower, read_word

KNOCK_OUT = "knock_out"
PICTURE_TYPES = {".png": "image/png", ".jpg": "image/jpeg"}


def as_read(run, asked: Query):
    """The run with the numbers of the `reading` that is asked for; itself where none is."""
    return run_as_read(run, asked.get("reading"))


def read_row(asked: Query) -> int | None:
    """The row's position; of a reading it may be left out."""
    return read_number(asked, "query", None) if "reading" in asked else read_number(asked, "query")


def source_of(run) -> str:
    """Source of what is computed: a reading's own name for it, or the run's factors."""
    source: str = run.SOURCE
    return source


def row(run, asked: Query) -> Answer:
    """Row of one query. `layer` and `head` may be `mean` or `max`: over heads first, then layers, as in `run.map`.

    Without `head` the answer is [heads, keys], with one [1, keys]. A stored row is sent as it lies on disk, in float16;
    what is computed, from factors or over heads, layers and positions, in float32; the header X-Attention-Source says
    from what. With `until`: the mean of the rows of positions query to until, stored where all of them are.
    """
    run = as_read(run, asked)
    tower, query, until = read_tower(asked), read_row(asked), read_number(asked, "until", None)
    source = read_word(asked, "source", ("auto", "stored", "factors"), "auto")
    layer, head = read_number_or_word(asked, "layer"), read_number_or_word(asked, "head", optional=True)
    layers = run.layers(tower) if isinstance(layer, str) else [layer]
    found = run.row_source(layers[0], query, tower, source, until) if layers else "factors"
    if head is not None:
        values = run.reduced_row(layer, head, query, tower, source, until)[None]
    elif isinstance(layer, str):
        values = run.reduced(np.stack(run.rows(query, tower, source, until)), layer)
    elif found == "stored" and until in (None, query):
        values = run.stored_row(layer, query, tower)
    else:
        values = run.row(layer, query, tower, found, until)
    return numbers(values, found)


def column(run, asked: Query) -> Answer:
    """Column of one key: float32 [heads, queries], with `head` [1, queries]; `layer` and `head` as in `row`.

    With `until`: the mean of the columns of positions key to until.
    """
    run = as_read(run, asked)
    tower, key, until = read_tower(asked), read_number(asked, "key"), read_number(asked, "until", None)
    layer, head = read_number_or_word(asked, "layer"), read_number_or_word(asked, "head", optional=True)
    if head is not None:
        values = run.reduced_column(layer, head, key, tower, until)[None]
    elif isinstance(layer, str):
        values = run.reduced(np.stack(run.columns(key, tower, until)), layer)
    else:
        values = run.column(layer, key, tower, until)
    return numbers(values, source_of(run))


def atlas(run, asked: Query) -> Answer:
    """One token's maps in every layer and head: float16 [layers, heads, rows, cols].

    With `key` instead of `query`: what each cell's token reads from that key. With `until`: the mean over the positions
    from query (or key) to until. Maps of more than `max_cells` cells come as area means. Of a reading whose means are
    no means of its maps `reduced=1` gives [layers + 1, heads + 2, rows, cols], with them at the ends.
    """
    run = as_read(run, asked)
    is_reduced = read_word(asked, "reduced", ("0", "1"), "0") == "1"
    if is_reduced and not hasattr(run, "reduced_atlas"):
        raise BadQuery("reduced=1 is of relative attention alone: other means are made of the maps themselves.")
    tower, grid, until = read_tower(asked), read_number(asked, "grid", 0), read_number(asked, "until", None)
    query, key = read_number(asked, "query", None), read_number(asked, "key", None)
    max_cells = read_number(asked, "max_cells", None)
    if (query is None) == (key is None) and (key is not None or "reading" not in asked):
        raise BadQuery("An atlas is of one query or of one key: give one of the two.")
    if max_cells is not None and max_cells < 1:
        raise BadQuery(f"max_cells is {max_cells}; it must be at least 1.")
    maps = (run.reduced_atlas if is_reduced else run.atlas)(query, grid, tower, key, until, max_cells=max_cells)
    rows, cols = run.cells(grid).shape
    maps = maps.reshape(*maps.shape[:2], *((rows, cols) if max_cells is None else pooled_shape(rows, cols, max_cells)))
    layers = run.layers(tower)
    by_query = query is not None and layers
    return numbers(maps, run.row_source(layers[0], query, tower, until=until) if by_query else source_of(run))


def masses(run, asked: Query) -> Answer:
    """One row's sums over the groups of run.json: float32 [layers, heads, groups]; with `until`, of a span's mean."""
    run = as_read(run, asked)
    query, until = read_row(asked), read_number(asked, "until", None)
    return numbers(run.masses(query, read_tower(asked), until), source_of(run))


def scores(run, asked: Query) -> Answer:
    """A score by its `name`: with `query` (and `until`) of that row in every layer and head, float32 [layers, heads].

    Which scores a row has, says `run.row_scores`; `value` is the row's value at `key`; those of `measures.regions` are
    of a `box` (x0,y0,x1,y1) or a `point` (x,y) on an `image`, in its pixels. Without `query`: the table of the stored
    rows, float32 [layers, heads, rows], or with `layer` and `head` (as in `row`) [rows]; the positions of its rows are
    in the header X-Attention-Positions, as `69-71` or `0-12,40`.
    """
    run = as_read(run, asked)
    name, tower = asked.get("name"), read_tower(asked)
    if not name:
        raise BadQuery("Give name=..., the score to read.")
    query, until, key = (read_number(asked, parameter, None) for parameter in ("query", "until", "key"))
    if "reading" in asked and name == KNOCK_OUT:
        return numbers(run.knock_out(read_region(run, *read_place(asked)), tower), source_of(run))
    if query is not None and name in regions.NAMES and "reading" not in asked:
        region = read_region(run, *read_place(asked))
        return numbers(region_scores(run, region, query, tower, until).tables[name], "factors")
    if query is not None or "reading" in asked:
        if name == "value" and key is None:
            raise BadQuery("Give key=..., the position whose value is asked for.")
        return numbers(run.row_scores(name, query, tower, until, key), source_of(run))
    layer, head = (read_number_or_word(asked, parameter, optional=True) for parameter in ("layer", "head"))
    if (layer is None) != (head is None):
        raise BadQuery("Give both layer=... and head=... (a number, mean or max), or neither.")
    values = run.score(name, tower) if layer is None else run.reduced_score(name, layer, head, tower)
    return numbers(values, "factors", positions=position_ranges(run.stored_positions(tower)))


def picture_file(run, index: int, which: str) -> Path:
    """The file of a picture: itself (`file`) or its preview. Raises NotInRun."""
    pictures = run.info["images"]
    if index >= len(pictures):
        raise NotInRun(f"There is no image {index} in this run: it has {len(pictures)}.")
    name = pictures[index].get(which) or pictures[index]["file"]
    path = run.folder / name
    # The name comes from run.json, which may come from somebody else's zip.
    if name != Path(name).name or path.suffix not in PICTURE_TYPES or not path.is_file():
        raise NotInRun(f"Image {index} of this run is missing.")
    return path


def received(run, asked: Query) -> Answer:
    """Mean over all queries of what each key receives: float32 [heads, keys], with `head` [1, keys].

    It may take long: a server computes it while it answers how far it is.
    """
    run = as_read(run, asked)
    layer, head = read_number_or_word(asked, "layer"), read_number_or_word(asked, "head", optional=True)
    values = run.received(layer, read_tower(asked), head=head)
    return numbers(values if head is None else values[None], "factors")


def places(run, asked: Query) -> dict[str, Any]:
    """The places of the answer with its numbers read in the space `coordinates`, as run.json has them; and `notes`."""
    coordinates = asked.get("coordinates", AUTO)
    found = run_places(run, coordinates)
    return {"coordinates": coordinates, **found.fields(), "notes": found.notes}


def region(run, asked: Query) -> Answer:
    """Everything that is measured of a `box` or a `point` on an `image`: float32 [layers, heads, measures].

    Measures are those of `measures.regions.NAMES`, and after them of the share of random other heads the mean, the
    spread and how many. The shares of a row that reads every cell alike, and of one that reads the middle, are in the
    header X-Attention-Chance. Of the row of `query`, or of the mean of the rows to `until`. With a forecast the one
    measure is KNOCK_OUT: the effect of no row outside reading the cells of the region, of all rows.
    """
    run = as_read(run, asked)
    if "reading" in asked:
        values = run.knock_out(read_region(run, *read_place(asked)), read_tower(asked))
        return numbers(values[:, :, None], source_of(run))
    query, until, tower = read_number(asked, "query"), read_number(asked, "until", None), read_tower(asked)
    found = region_scores(run, read_region(run, *read_place(asked)), query, tower, until)
    measured = [found.tables[name] for name in regions.NAMES]
    share = found.tables["region_share"]
    others = [regions.of_random_heads(share, *divmod(i, share.shape[1])) for i in range(share.size)]
    chance = np.array(others, np.float32).reshape(*share.shape, 3)
    values = np.concatenate([np.stack(measured, axis=-1), chance], axis=-1)
    return numbers(values, "factors", chance=f"{found.uniform:.9g},{found.central:.9g}")


def words(run, asked: Query) -> Answer:
    """Words of every token after a `layer`, of the lens whose name is `reading`: JSON, as `Lens.of_layer` gives it."""
    name = asked.get("reading")
    if not name:
        raise BadQuery("Give reading=..., the name of a lens.")
    lens = find_reading(run, name)
    if not isinstance(lens, Lens):
        raise NotInRun(f"{quoted(name)} is a reading of kind {lens.kind}, which has no words. Ask for a lens.")
    content = json.dumps(lens.of_layer(read_number(asked, "layer")), ensure_ascii=False, separators=(",", ":"))
    return Answer(content.encode())


RUN_ANSWERS = {
    "row": row, "column": column, "atlas": atlas, "masses": masses, "scores": scores, "region": region,
    "words": words,
}  # fmt: skip
