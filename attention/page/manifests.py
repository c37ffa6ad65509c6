"""Manifests, which tell the viewers of a run or a comparison: its ticket, and where to look first.

A manifest is small and says nothing that the viewer reads from the folder itself.
"""

from __future__ import annotations

import json
from itertools import count
from typing import Any

from attention.comparisons.comparison import Comparison
from attention.environment import POCKET, POCKET_ID
from attention.runs.run import Run
from attention.visitors.service import Service

from .viewer import MANIFEST_BYTES

TABS = {"run": "explore", "comparison": "compare"}  # which tab shows what


_passed = count(1)


def passing(ticket: str, view: dict[str, Any] | None = None) -> dict[str, Any]:
    """A ticket that one tab hands on to another, and where to look first. No two are alike: each is a change."""
    return {"ticket": ticket, "view": view, "number": next(_passed)}


def at(found: dict[str, Any], view: dict[str, Any] | None) -> dict[str, Any]:
    """A manifest that begins where a view says."""
    return found if view is None else found | {"view": found.get("view", {}) | view}


def is_demo(found: Run | Comparison) -> bool:
    """True if the bundled model made it."""
    return found.info["model"]["id"] == POCKET_ID


def tab_of(service: Service, ticket: str) -> str:
    """Name the tab that shows what is behind a ticket: `explore` or `compare`."""
    return TABS[service.found(ticket).kind]


def manifest(service: Service, ticket: str) -> dict:
    """Make what the viewer needs to find a run: its ticket, and on a person's own machine where it lies.

    Of an example also the layer and the head to begin with, if its folder names them; of the bundled model the head
    that finds what a question is about.
    """
    run = service.run(ticket)
    found = {"id": run.info["id"], "ticket": ticket, "kind": "run"}
    if service.is_public(ticket):
        found["is_public"] = True
        view = service.cache.view(ticket)
        if view is not None and view["layer"] in run.layers() and view["head"] < run.heads():
            found["view"] = view
    if is_demo(run):
        head = head_for(run.info["prompt"])
        if head["layer"] in run.layers() and head["head"] < run.heads():  # a zip may only say that it is of this model
            found["view"] = {"layer": head["layer"], "head": head["head"]}
            asked = run.info["prompt"].lower()
            if "in the second " in asked:  # as the bundled model's questions name a picture
                found["view"]["image"] = 1
    with_folder = found | {"folder": str(run.folder)}
    fits = len(json.dumps(with_folder)) <= MANIFEST_BYTES
    return with_folder if fits and not service.is_hosted else found


def manifest_of(service: Service, ticket: str) -> dict:
    """Make the manifest of a run or of a comparison, whichever it is."""
    return (manifest if service.found(ticket).kind == "run" else comparison_manifest)(service, ticket)


def head_for(prompt: str) -> dict:
    """The bundled model's head that finds what a question of this kind is about, by its card's figures."""
    figures = json.loads((POCKET / "grounding.json").read_text(encoding="utf-8"))
    asked_by = figures["asked_by"].items()  # the last kind's word is in every text
    kind = next(kind for kind, words in asked_by if any(word in prompt.lower() for word in words))
    return figures["heads"][kind]


def comparison_manifest(service: Service, ticket: str) -> dict:
    """Make what the viewer needs to find a comparison."""
    comparison = service.comparison(ticket)
    found = {"id": comparison.info["id"], "ticket": ticket, "kind": "comparison"}
    if service.is_public(ticket):
        found["is_public"] = True
    for moved in [] if comparison.is_side_by_side else comparison.moved(0, n=1):  # where there is most to see
        found["view"] = {"layer": moved["layer"], "head": moved["head"]}
    with_folder = found | {"folder": str(comparison.folder)}
    fits = len(json.dumps(with_folder)) <= MANIFEST_BYTES
    return with_folder if fits and not service.is_hosted else found
