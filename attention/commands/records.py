"""Finished runs and comparisons as objects for programs: what --json prints of them.

Knows what run.json and comparison.json hold; knows no command.
"""

from __future__ import annotations

from typing import Any

from attention.comparisons.comparison import Comparison
from attention.comparisons.names import member_names
from attention.runs.run import Run
from attention.words import read_with_less

MOST_MOVED = 5  # heads of each adapter that are named


def run_record(run: Run, seconds: float) -> dict[str, Any]:
    """A run in one object: its folder, its answer, its size; `layers` and `heads` are the language tower's."""
    info = run.info
    return {
        "folder": str(run.folder), "kind": run.kind, "id": info["id"], "model": info["model"]["id"],
        "family": info["model"]["family"], "adapter": info["adapter"], "mode": info["mode"], "prompt": info["prompt"],
        "answer": info["answer"], "forced": info["forced"], "tokens": len(info["tokens"]),
        "prompt_tokens": info["prompt_tokens"],
        "layers": len(run.layers()), "heads": run.heads(),
        "towers": {name: {"layers": len(run.layers(name)), "heads": run.heads(name)} for name in run.towers()},
        "images": [
            {name: image[name] for name in ("width", "height", "read_width", "read_height")} for image in info["images"]
        ],
        "bytes": info.get("bytes"), "seconds": round(seconds, 1), "notes": info["notes"],
        "cautions": read_with_less(info),
    }  # fmt: skip


def comparison_record(comparison: Comparison, seconds: float) -> dict[str, Any]:
    """A comparison in one object, with the heads that each adapter moved most on the picture, in bits.

    Of members side by side no head moved: there `side_by_side` says why, and each has its own `layers` and `heads`.
    """
    info, runs, own = comparison.info, (comparison.base, *comparison.adapters), comparison.is_side_by_side
    names = member_names(info["members"])
    members = [
        {
            "member": member["folder"], "name": names[member["folder"]], "adapter": member["adapter"],
            **({"model": member["model"]} if member.get("model") else {}), "answer": member["answer"],
            "moved": comparison.moved(index - 1, n=MOST_MOVED) if index and not own else [],
            **({"layers": len(runs[index].layers()), "heads": runs[index].heads()} if own else {}),
            "notes": runs[index].info["notes"],
        }
        for index, member in enumerate(info["members"])
    ]  # fmt: skip
    return {
        "folder": str(comparison.folder), "kind": comparison.kind, "id": info["id"], "model": info["model"]["id"],
        "family": info["model"]["family"], "prompt": info["prompt"], "answer": members[0]["answer"],
        "words": info["words"], "shared_tokens": info["shared_tokens"], "layers": len(comparison.base.layers()),
        "heads": comparison.base.heads(), "members": members, "bytes": info.get("bytes"),
        "seconds": round(seconds, 1), "cautions": read_with_less(comparison.base.info), "n": 1,
        **{name: info[name] for name in ("floors", "parts") if name in info},
        **({"side_by_side": comparison.why_side_by_side()} if own else {}),
    }  # fmt: skip
