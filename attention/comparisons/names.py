"""Names of the members of a comparison, as a person reads them: short, and no two alike.

Needs nothing but the records of comparison.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from attention.drawing.number_text import format_strength


def member_names(members: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Names of members by folder: that of their record, else `base`, or of an adapter's id its last parts.

    As many of them as tell it from the others, and with its strength where that is not 1.
    """
    ids = {member["folder"]: (member["adapter"] or {}).get("id", "") for member in members if not member.get("name")}
    names = {}
    for member in members:
        adapter, folder = member["adapter"], member["folder"]
        if member.get("name"):
            names[folder] = member["name"]
        elif adapter is None:
            names[folder] = "base"
        else:
            name = short_name(ids[folder], list(ids.values()))
            names[folder] = name if adapter["scale"] == 1 else f"{name} {format_strength(adapter['scale'])}"
    return names


def short_name(of: str, among: Sequence[str]) -> str:
    """The last part of a path or a Hub id, or as many of its parts as tell it from the others."""
    own = PurePosixPath(of.replace("\\", "/")).parts
    others = [PurePosixPath(other.replace("\\", "/")).parts for other in among if other != of]
    count = next((n for n in range(1, len(own)) if all(other[-n:] != own[-n:] for other in others)), len(own))
    return "/".join(own[-count:]) or of
