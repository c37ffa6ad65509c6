"""Tokens, their texts, and the cells that image tokens stand for.

Owns the records that run.json holds for tokens and grids, and the geometry from a cell to pixels. Knows no
tokenizer by name, no model and no file.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from typing import Any

REPLACEMENT = "\ufffd"  # what decoders write for bytes that are no sign
SUBSTITUTE = "\u241a"  # what is shown instead
EQUAL_PX = 1e-6  # cells that differ by less are equal
NOT_SEARCHED = "\0"  # stands for a token that no words are looked for in


@dataclass
class Token:
    """One token of the model's sequence; `grid`, `row`, `col` say which cell it stands for, if it is an image's."""

    index: int
    id: int
    text: str
    role: str
    grid: int | None = None
    row: int | None = None
    col: int | None = None
    part_of: int | None = None

    def to_dict(self) -> dict[str, Any]:
        record = asdict(self)
        if self.part_of is None:
            del record["part_of"]
        return record


@dataclass(frozen=True)
class Grid:
    """A picture, tile, thumbnail or frame as rows x cols cells; `box_px` (x0, y0, x1, y1) is its place on the image.

    Cells are equal parts of that box; where they are not, `row_edges_px` (rows + 1, ascending, the outer ones the
    box's) and `col_edges_px` say where they begin and end. `images` are all pictures that its cells were made from,
    where they are frames that were read together; `image` is the first.
    """

    image: int
    tower: str
    kind: str
    box_px: tuple[float, float, float, float]
    rows: int
    cols: int
    time_s: float | None = None
    row_edges_px: tuple[float, ...] | None = None
    col_edges_px: tuple[float, ...] | None = None
    images: tuple[int, ...] | None = None

    @classmethod
    def between(cls, image: int, tower: str, kind: str, rows: Sequence[float], cols: Sequence[float]) -> Grid:
        """The grid whose rows and columns have these edges, in pixels on the image."""
        box = (cols[0], rows[0], cols[-1], rows[-1])
        return cls(image, tower, kind, box, len(rows) - 1, len(cols) - 1, None, _if_unequal(rows), _if_unequal(cols))

    def to_dict(self) -> dict[str, Any]:
        record = {**asdict(self), "box_px": list(self.box_px)}
        for name in ("row_edges_px", "col_edges_px", "images"):
            values = record.pop(name)
            if values is not None:
                record[name] = list(values)
        return record


def _if_unequal(edges: Sequence[float]) -> tuple[float, ...] | None:
    steps = [stop - start for start, stop in pairwise(edges)]
    return None if max(steps, default=0) - min(steps, default=0) < EQUAL_PX else tuple(edges)


def cell_edges(grid: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Edges of the rows of cells and of the columns, on the image as the processor received it."""
    x0, y0, x1, y1 = grid["box_px"]
    rows, cols = grid["rows"], grid["cols"]
    return (
        grid.get("row_edges_px") or [y0 + (y1 - y0) * i / rows for i in range(rows + 1)],
        grid.get("col_edges_px") or [x0 + (x1 - x0) * i / cols for i in range(cols + 1)],
    )


def cell_box(grid: dict[str, Any], row: int, col: int) -> tuple[float, float, float, float]:
    """The pixels (x0, y0, x1, y1) that a cell covers, on the image as the processor received it, not resized."""
    rows, cols = cell_edges(grid)
    return cols[col], rows[row], cols[col + 1], rows[row + 1]


def token_texts(
    ids: Sequence[int], decode: Callable[[list[int]], str], is_special: Callable[[int], bool]
) -> list[tuple[str, int | None]]:
    """The text of every token as (text, part_of), such that the texts joined are the text of the sequence.

    A sign split over several tokens (an emoji, a CJK sign) stands whole on its first token; the others have "" and
    the first one's index. Bytes that never become a sign (a model may write any) are shown as U+241A, the symbol
    for a substitute, never as U+FFFD. `decode` must keep special tokens and spaces as they are.
    """
    texts: list[tuple[str, int | None]] = []
    special: dict[int, str] = {}  # an image is thousands of the same one
    start = last = 0  # `last` is where the sign, or the word, before this one begins
    while start < len(ids):
        if is_special(ids[start]):
            if ids[start] not in special:
                special[ids[start]] = decode([ids[start]])
            texts.append((special[ids[start]], None))
            start += 1
            continue
        # What stands before gives context to decoders that drop a leading space; a special token needs none and gives
        # none. Of bytes that are no sign it does, unless they become one with what follows.
        before = list(ids[last:start]) if start and not is_special(ids[start - 1]) else []
        prefix = decode(before)
        if REPLACEMENT in prefix and not decode([*before, ids[start]]).removeprefix(prefix).startswith(" "):
            before, prefix = [], ""
        stop = start + 1
        text = decode([*before, *ids[start:stop]])[len(prefix) :]
        # UTF-8 signs have at most four bytes, and joined emoji are several signs: each is whole by itself.
        while text.endswith(REPLACEMENT) and stop < len(ids) and stop - start < 4 and not is_special(ids[stop]):
            stop += 1
            text = decode([*before, *ids[start:stop]])[len(prefix) :]
        if REPLACEMENT in text:  # not a sign at all: this token alone, its broken bytes shown as such
            stop = start + 1
            text = decode([ids[start]]).replace(REPLACEMENT, SUBSTITUTE)
        texts.append((text, None))
        texts.extend(("", start) for _ in range(start + 1, stop))
        last, start = start, stop
    return texts


def find_words(tokens: Sequence[dict[str, Any]], words: str, role: str | None = None) -> list[int]:
    """The tokens that spell these words, ascending, of every place where they stand; of one role, where it is named.

    Found as on the page: upper and lower case are the same, words may begin or end within a token, and never run over
    the cells of a picture.
    """
    texts = [
        NOT_SEARCHED if token["grid"] is not None or role not in (None, token["role"]) else _folded(token["text"])
        for token in tokens
    ]
    starts, text, sought = list(accumulate(map(len, texts), initial=0)), "".join(texts), _folded(words)
    found: set[int] = set()
    place = text.find(sought) if sought else -1
    while place >= 0:
        end = place + len(sought)
        first, last = bisect_right(starts, place) - 1, bisect_right(starts, end - 1) - 1
        while last + 1 < len(texts) and not texts[last + 1]:  # later pieces of a sign have no text of their own
            last += 1
        found.update(range(first, last + 1))
        place = text.find(sought, end)
    return sorted(found)


def _folded(text: str) -> str:
    return text.lower().replace("ς", "σ")


def spans(indices: Sequence[int]) -> list[list[int]]:
    """Ascending indices as half-open spans [[start, stop], ...]."""
    result: list[list[int]] = []
    for index in indices:
        if result and result[-1][1] == index:
            result[-1][1] = index + 1
        else:
            result.append([index, index + 1])
    return result


def language_groups(
    tokens: Sequence[Token],
    grids: Sequence[Grid],
    pictures: Mapping[int, int] | None = None,
    keys: Iterable[int] | None = None,
) -> list[dict[str, Any]]:
    """The key groups whose masses are shown, [{name, spans}]: roles, images, and last `sink` (spans null: per layer).

    Every token is in exactly one group, or of those that are `keys`; a sink is counted in its image as well. `pictures`
    {token: image} are tokens that stand for a picture and for no cell of it.
    """
    names = ["system", "prompt", *(f"image {i + 1}" for i in _pictured(grids)), "thinking", "answer", "special"]
    members: dict[str, list[int]] = {name: [] for name in names}
    for token in tokens if keys is None else (tokens[key] for key in keys):
        image = grids[token.grid].image if token.grid is not None else (pictures or {}).get(token.index)
        if image is not None:
            members[f"image {image + 1}"].append(token.index)
        else:
            members["special" if token.role == "image" else token.role].append(token.index)
    return [{"name": name, "spans": spans(members[name])} for name in names] + [{"name": "sink", "spans": None}]


def picture_groups(keys: Sequence[dict[str, Any] | None], grids: Sequence[Grid]) -> list[dict[str, Any]]:
    """The key groups of a tower whose keys are patches: each image, keys of none (`special`), and `sink`."""
    members: dict[int | None, list[int]] = {image: [] for image in (*_pictured(grids), None)}
    for index, key in enumerate(keys):
        members[None if key is None else grids[key["grid"]].image].append(index)
    return [
        {"name": "special" if image is None else f"image {image + 1}", "spans": spans(member)}
        for image, member in members.items()
    ] + [{"name": "sink", "spans": None}]


def _pictured(grids: Sequence[Grid]) -> list[int]:
    """The pictures that have cells of their own; of frames that are read together that is the first."""
    return sorted({grid.image for grid in grids})
