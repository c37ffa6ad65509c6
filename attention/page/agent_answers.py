"""Answers to agents: of a run or a comparison the few numbers that say where it looked, never a whole row.

Owns what an agent gets back. Positions are those of tokens in the run; boxes are (x0, y0, x1, y1) in pixels of their
picture. Knows no tool and no protocol.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from attention.comparisons.comparison import Comparison
from attention.comparisons.names import member_names
from attention.errors import NotInRun, quoted
from attention.runs.run import Run
from attention.runs.selection import Selection, default_query, select
from attention.runs.tokens import cell_box
from attention.words import ONE_INPUT, ONE_INPUT_MEANS, read_with_less

PEAKS, HEADS, MOVED = 5, 8, 8  # cells, heads and changed heads that are named
NOT_WHY = "Attention is what was read. It does not say why the model answered so: try_without measures what matters."


def row_of_word(run: Run, word: Any) -> int | None:
    """The row that predicts a word of the answer, or a token by its position; None where none is named.

    Raises NotInRun for words that stand nowhere in the answer.
    """
    if word in (None, ""):
        return None
    if isinstance(word, str) and not word.lstrip("-").isdecimal():
        roles = ("answer", "thinking")
        found = next((places for role in roles if (places := run.find(word, role))), None)
        if not found:
            raise NotInRun(
                f"The answer has no {quoted(word)}: it is {quoted(run.info.get('answer') or '')}. "
                "Name words of it, or the position of a token."
            )
        return found[0] - 1
    position = int(word)
    if not 0 < position < len(run.info["tokens"]):
        raise NotInRun(f"There is no token {position} with a row before it: the run has {len(run.info['tokens'])}.")
    return position - 1


def looked_at(selection: Selection) -> dict[str, Any]:
    """Say where the row of a selection lies: shares on all pictures and on sinks, and the cells that it reads most.

    Cells are those of every picture, tile and frame; such as are sinks are left out of the list.
    """
    run, tower = selection.run, selection.tower
    values, _ = selection.values()
    sinks = set(selection.sinks)
    cells = [
        (float(values[key]), grid, row, col)
        for grid in run.grids(tower)
        for (row, col), key in np.ndenumerate(run.cells(grid))
        if int(key) not in sinks
    ]
    cells.sort(key=lambda cell: -cell[0])
    keys = np.unique(np.concatenate([run.cells(grid).ravel() for grid in run.grids(tower)] or [np.zeros(0, int)]))
    return {
        "on_pictures": float(values[keys].sum(dtype=np.float64)) if len(keys) else 0.0,
        "on_sinks": selection.sink_mass(values),
        "most_read": [
            {
                "picture": run.info["grids"][grid]["image"],
                "box": [round(side, 1) for side in cell_box(run.info["grids"][grid], row, col)],
                "share": value,
            }
            for value, grid, row, col in cells[:PEAKS]
        ],
    }


def run_answer(run: Run, ticket: str) -> dict[str, Any]:
    """A run in short: its answer with the probability of each word, and where it looked as it began to answer."""
    info, query, tower = run.info, default_query(run), run.picture_tower()
    first = info.get("prompt_tokens") or len(info["tokens"])
    logprobs = info.get("logprobs") or []
    answer = [
        {"position": token["index"], "text": token["text"], "logprob": logprob}
        for token, logprob in zip(info["tokens"][first:], logprobs[-(len(info["tokens"]) - first) :], strict=False)
        if token["role"] != "special"
    ]
    mass = run.row_scores("image_mass", query, tower)
    order = np.argsort(-mass, axis=None, kind="stable")[:HEADS]
    heads = [
        (run.layers(tower)[i], int(head), float(mass[i, head]))
        for i, head in (divmod(int(each), mass.shape[1]) for each in order)
    ]
    return {
        "ticket": ticket, "model": info["model"]["id"], "answer": info.get("answer"), "answer_tokens": answer,
        "pictures": [{"width": image["width"], "height": image["height"]} for image in info["images"]],
        "layers": run.layers(tower), "heads": run.heads(tower),
        "looked_at": looked_at(select(run, tower, query=query)) if info["images"] else None,
        "heads_that_read_pictures_most": [
            {"layer": layer, "head": head, "share": share} for layer, head, share in heads
        ] if info["images"] else [],
        "cautions": [*read_with_less(info), NOT_WHY],
    }  # fmt: skip


def comparison_answer(found: Comparison, ticket: str) -> dict[str, Any]:
    """A comparison in short: every member's answer, and the heads that moved most on the picture, in bits."""
    names, side_by_side = member_names(found.info["members"]), found.is_side_by_side
    members = [
        {
            "member": member["folder"], "name": names[member["folder"]], "answer": member["answer"],
            "moved": found.moved(i - 1, n=MOVED) if i and not side_by_side else [],
        }
        for i, member in enumerate(found.info["members"])
    ]  # fmt: skip
    why = {"side_by_side": found.why_side_by_side()} if side_by_side else {}
    cautions = [*read_with_less(found.base.info), NOT_WHY, f"{ONE_INPUT}: {ONE_INPUT_MEANS}"]
    return {"ticket": ticket, "members": members, **why, "cautions": cautions}
