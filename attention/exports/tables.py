"""One row, column or map in numbers: `npz` and `csv`.

Both hold the values with the settings that find them again. Knows no look.
"""

from __future__ import annotations

import csv
import io
import json
import re
from typing import BinaryIO

import numpy as np

from attention.runs.selection import Selection
from attention.runs.tokens import cell_box

# where a spreadsheet that splits at any of these signs would begin a formula
FORMULA = re.compile(r"(^|[,;\t\r\n])(?=\s*[=+\-@＝＋－＠])")


def write_npz(selection: Selection, file: BinaryIO) -> None:
    """`row` (or `column`, or `received`) and `map`, and what they are of."""
    values, source = selection.values(exact=True)
    arrays = {"received" if selection.received else "row" if selection.key is None else "column": values}
    if selection.has_map:
        arrays["map"] = values[selection.cells()]
    settings = {**selection.settings(), "source": source, "dtype": "float32"}
    if selection.received:
        settings["over"] = settings.pop("received")
    arrays |= {name: np.asarray(value) for name, value in settings.items()}
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type] # no array is called allow_pickle


def write_csv(selection: Selection, file: BinaryIO) -> None:
    """The settings as comments, `# name: JSON`, and then the cells of a map, or the keys of a row with their texts."""
    values, source = selection.values(exact=True)
    run, tower = selection.run, selection.tower
    if selection.has_map:
        header = "row,col,value,x0,y0,x1,y1"
        record = run.info["grids"][selection.grid]
        rows = ([*at, values[key], *cell_box(record, *at)] for at, key in np.ndenumerate(selection.cells()))
    else:
        header = "key,text,value" if selection.key is None else "query,text,value"
        texts = (
            (without_formula(token["text"]) for token in run.info["tokens"])
            if selection.are_of_tokens
            else [""] * len(values)
        )
        own = run.keys_with_columns(tower) if selection.key is None else run.queries_with_rows(tower)
        texts = list(texts)
        rows = ([i, texts[i], values[i]] for i in own.tolist())
    text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
    for name, value in {**selection.settings(), "source": source, "dtype": "float32"}.items():
        said = without_formula(value) if isinstance(value, str) else value
        text.write(f"# {name}: {json.dumps(said, ensure_ascii=False)}\n")
    text.write(f"# a ' stands before what a spreadsheet could take for a formula\n{header}\n")
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerows(rows)
    text.detach()  # which leaves the file open, as it was


def without_formula(text: str) -> str:
    """Text of a model or a person, as a spreadsheet shows it instead of computing it."""
    return FORMULA.sub(r"\1'", text)
