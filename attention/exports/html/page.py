"""The HTML file put together: the viewer's modules, styles and template, the answers, and a policy for all of it.

Texts of people and models are data here: they stand in JSON, with `<` written so that no text ends its element, or are
packed. Nothing of the file is loaded from anywhere, and its policy lets it connect to nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from attention.comparisons.comparison import Comparison
from attention.errors import InvalidRequest, NotInRun, quoted
from attention.kinds.kept import find_reading
from attention.limits import MAX_HTML_MEGABYTES
from attention.readings.forecast import Forecast
from attention.readings.target import Target
from attention.runs.regions import Region
from attention.runs.run import Run, is_reduction
from attention.runs.selection import plain
from attention.viewer_files import file_text, imported_by, modules_of, styles, template, without_comments

from .addresses import text_towers
from .fill import Filled, fill
from .words import what_it_holds, what_it_leaves_out

MEGABYTES = 10.0
HEAD_CHARACTERS = 8_000  # of the sentences, the index's own marks and the page around it


@dataclass(frozen=True)
class HtmlFile:
    """A finished file: its text, and what it says that it holds and leaves out."""

    text: str
    holds: str
    left_out: str


def html_file(
    found: Run | Comparison,
    layer: int | str | None = None,
    head: int | str | None = None,
    query: int | None = None,
    tokens: str | None = None,
    layers: str | None = None,
    heads: str | None = None,
    megabytes: float | None = None,
    only_words: bool = False,
    region: Region | None = None,
    reading: str | None = None,
) -> HtmlFile:
    """Make a file that opens at this layer, head and row, and holds what is named, or what fits.

    See `attention.exports.html.fill` for what a file holds; with `reading`, by its name or its kind, it opens with the
    effects of one. Raises InvalidRequest, NotInRun or LimitExceeded.
    """
    limit = MEGABYTES if megabytes is None else float(megabytes)
    if not 0 < limit <= MAX_HTML_MEGABYTES:
        raise InvalidRequest(f"megabytes is {quoted(megabytes)}; a file may have up to {MAX_HTML_MEGABYTES}.")
    base = found.base if isinstance(found, Comparison) else found
    entry = f"{found.kind}.js"
    modules = _in_json([[name, _linked(name)] for name in dict.fromkeys([*modules_of(entry), *modules_of("file.js")])])
    sheet, begin = f"{file_text('file.css')}\n#viewer {{\n{styles()}\n}}", file_text("file_start.js")
    frame = len((modules + sheet + begin + template(f"{found.kind}.html")).encode()) + HEAD_CHARACTERS
    room = int(limit * 1e6) - frame
    if room <= 0:
        raise InvalidRequest(f"megabytes is {quoted(megabytes)}; the viewer alone takes {frame / 1e6:.1f}.")
    effects = _effects(found, reading)
    name = None if effects is None else effects.folder.name
    filled = fill(found, room, query, tokens, layers, heads, layer, only_words, region, name)
    holds, left_out = what_it_holds(found, filled, effects), what_it_leaves_out(found, filled, region is not None)
    contents = {
        "entry": entry, "holds": holds, "leftOut": left_out, "oneHead": filled.part.heads is not None,
        "title": f"{base.info['model']['id']} · {found.info.get('prompt') or found.kind}"[:200],
        "manifest": {
            "id": found.info["id"], "ticket": "", "kind": found.kind, "folder": plain(found.folder.name) or found.kind,
            "view": _view(base, filled, layer, head) | _place(region) | _shown(effects),
        },
    }  # fmt: skip
    blocks = [("index", filled.held.index()), *((f"block-{i}", text) for i, text in enumerate(filled.held.blocks))]
    parts = {
        "policy": _policy(begin, sheet), "styles": sheet, "template": template(f"{found.kind}.html"),
        "contents": _in_json(contents), "modules": modules, "start": begin,
        "blocks": "\n".join(f'<script type="text/plain" id="{name}">{text}</script>' for name, text in blocks),
    }  # fmt: skip
    text = re.sub(r"\{(\w+)\}", lambda part: parts[part[1]], file_text("file.html"))
    return HtmlFile(text, holds, left_out)


def _view(base: Run, filled: Filled, layer: int | str | None, head: int | str | None) -> dict[str, Any]:
    """View with which it opens, of what it holds. Raises NotInRun or InvalidRequest."""
    view: dict[str, Any] = {"query": filled.rows[0]}
    tower = next(iter(filled.part.layers))
    layers = {number for each in filled.part.layers.values() for number in each}
    if layer is not None and not is_reduction(layer) and layer not in layers:
        base.layer_file(layer, tower)  # refuses one that is not there
        raise InvalidRequest(f"The file was to open at layer {layer} and does not hold it: name it in layers too.")
    if head is not None and not is_reduction(head):
        if not 0 <= head < base.heads(tower):
            raise NotInRun(f"There is no head {quoted(head)} in this run: it has heads 0 to {base.heads(tower) - 1}.")
        if filled.part.heads is not None and head not in filled.part.heads:
            raise InvalidRequest(f"The file was to open at head {head} and does not hold it: name it in heads too.")
    return view | {name: value for name, value in (("layer", layer), ("head", head)) if value is not None}


def _effects(found: Run | Comparison, reading: str | None) -> Forecast | None:
    """The forecast that is named, by its name or its kind. Raises InvalidRequest or NotInRun."""
    if reading is None:
        return None
    if found.kind != "run":
        raise InvalidRequest(f"A file holds a reading of one run: name one of {', '.join(found.runs)} as the member.")
    effects = find_reading(found, reading)
    if not isinstance(effects, Forecast):
        raise InvalidRequest(f"A file holds a forecast beside the attention, and no {effects.kind}.")
    if effects.target.against is not None:
        raise InvalidRequest(
            "A file shows what a log-probability would lose; this forecast is of one token against another. Name a "
            "forecast without against, or write this one as png, npz or csv."
        )
    if missing := [tower for tower in text_towers(found) if tower not in effects.info["towers"]]:
        raise NotInRun(f"This forecast has no tower {missing[0]}, in which text reads: ask for one of all of them.")
    return effects


def _shown(effects: Forecast | None) -> dict[str, Any]:
    """The reading with which it opens, as the viewer's address has it: forecast, and its tokens if not all."""
    if effects is None:
        return {}
    tokens = effects.target.tokens
    is_whole = effects.target == Target.of(effects.run)
    return {"show": " ".join(["forecast", *([] if is_whole else map(str, tokens))])}


def _place(region: Region | None) -> dict[str, Any]:
    """The region with which it opens, as the viewer takes one."""
    return {} if region is None else {"region": {"image": region.image, "place": list(region.place)}}


def _linked(name: str) -> str:
    """A module whose imports name others by their paths, for the file to find them."""
    text = without_comments(name)
    for written, path in imported_by(name):
        text = text.replace(f"from '{written}'", f"from 'held:{path}'")
    return text


def _in_json(content: Any) -> str:
    """JSON that an element of a page can hold, whatever is written in it."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _policy(script: str, sheet: str) -> str:
    """The only script that may begin, modules that it makes, and no connection to anywhere."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, sheet)]
    return (
        f"default-src 'none'; script-src 'sha256-{hashes[0]}' blob:; style-src 'sha256-{hashes[1]}'; "
        "img-src blob: data:; connect-src 'none'; form-action 'none'; base-uri 'none'"
    )
