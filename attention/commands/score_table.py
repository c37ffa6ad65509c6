"""Scores as text: a table of models, sentences on pairs of them, and the items that could not be scored.

Knows what scores.json holds, and nothing of how it came to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NAMED = 10  # bad items that are said one by one
TOP = 3  # heads that moved, in a sentence
COLUMNS = ("model", "head", "share", "lift", "peak", "touch", "elsewhere", "alike", "middle", "other heads", "answers")
NOTES = (
    "head: found on one half of the pictures and measured on the other, both ways; as layer.head.",
    "share: of the attention on the picture, at the place; lift: as a multiple of its area's; peak: the highest cell "
    "stands for the place; touch: its middle half touches it.",
    "Chance, of the share: the same head at another item's place, every cell alike, the middle, other heads.",
    "[low, high]: 95 %, drawn over pictures; of rates Wilson's.",
)


def table(info: dict[str, Any]) -> list[str]:
    """Lines of the table of all models, and what its columns mean."""
    rows, why = [], []
    for model in info["models"]:
        found = model.get("found")
        if found is None:
            why.append(f"{model['name']}: {model['why_not']}")
            rows.append([model["name"], *["-"] * (len(COLUMNS) - 2), _answers(model.get("answers"), info)])
            continue
        measures = found["measures"]
        rows.append(
            [
                model["name"],
                ", ".join(dict.fromkeys(f"{head['layer']}.{head['head']}" for head in found["heads"])),
                percent(measures["region_share"]),
                number(measures["region_lift"]),
                percent(measures["region_peak"]),
                percent(measures["region_touch"]),
                percent(found["elsewhere"]["region_share"], bounds=False),
                *(_share(model["chance"][name]) for name in ("uniform", "central")),
                _share(found["random"]),
                _answers(model["answers"], info),
            ]
        )
    n, bad = len(info["items"]), len({each["name"] for each in info["bad"]})
    pictures = len({item["picture"] for item in info["items"] if item["picture"]})
    scored = ", ".join(f"{model['name']} {model['scored']}" for model in info["models"])
    head = f"{n} items on {pictures} pictures; scored: {scored}; with a reason why not: {bad}."
    return [head, *why, "", *_aligned([COLUMNS, *rows]), "", *NOTES]


def pair_lines(info: dict[str, Any]) -> list[str]:
    """Lines on what lies between the base and each other model."""
    names = {model["member"]: model["name"] for model in info["models"]}
    lines = []
    for pair in info["pairs"]:
        who = f"{names[pair['right']]} less {names[pair['left']]}"
        if pair["why_not"]:
            lines += ["", f"{who}: {pair['why_not']}"]
            continue
        lines += ["", f"{who}, on {pair['n']} items, of {pair['by']}:"]
        if pair["found_head"]:
            lines.append(f"  at the head that {names[pair['left']]} looks with: {_change(pair['found_head'])}")
        lines.append(f"  mean of all heads: {_change(pair['mean_of_heads'])}")
        if pair["too_few"]:
            lines.append(f"  heads: {pair['too_few']}")
            continue
        lines.append(
            f"  heads that moved: {pair['moved']} of {pair['heads']} (p at most 5 % of {' and '.join(pair['tested'])} "
            f"in all heads together, max-T)"
        )
        lines += [
            f"    {head['layer']}.{head['head']} {head['measure']}: {_change(head)}" for head in pair["top"][:TOP]
        ]
    return lines


def bad_lines(info: dict[str, Any]) -> list[str]:
    """Lines on the items that could not be scored."""
    bad = info["bad"]
    lines = [f"{each['name']}: {each['reason']}" for each in bad[:NAMED]]
    return lines + ([f"And {len(bad) - NAMED} more: scores.json has all."] if len(bad) > NAMED else [])


def percent(estimate: dict[str, Any], bounds: bool = True) -> str:
    """A share or a rate in percent with its interval."""
    if estimate["mean"] is None:
        return "-"
    said = f"{100 * estimate['mean']:.1f} %"
    if not bounds or estimate["low"] is None:
        return said
    return f"{said} [{100 * estimate['low']:.1f}, {100 * estimate['high']:.1f}]"


def number(estimate: dict[str, Any]) -> str:
    """A mean as a number."""
    return "-" if estimate["mean"] is None else f"{estimate['mean']:.2f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _answers(answers: dict[str, Any] | None, info: dict[str, Any]) -> str:
    """Hits of the answers, of those that could."""
    if not answers:
        return "-" if info["settings"]["mode"] == "prefill" else "name no place"
    of = answers["hit"] + answers["miss"] + answers["nothing"]
    unsure = f", {answers['uncertain']} uncertain" if answers["uncertain"] else ""
    return f"{answers['hit']} of {of} hit{unsure}"


def _change(change: dict[str, Any]) -> str:
    """A difference in percentage points with its interval and p."""
    if change["mean"] is None:
        return "-"
    said = f"{100 * change['mean']:+.1f} points"
    if change["low"] is not None:
        said += f" [{100 * change['low']:+.1f}, {100 * change['high']:+.1f}]"
    return said + (", too few pictures for a p" if change["p"] is None else f", p = {change['p']:.2g}")


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
