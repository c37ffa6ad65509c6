"""The links that a person is told of as the app starts: to the page with its library, or to what is to be shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

from attention.environment import user_cache_folder
from attention.errors import InvalidRequest, shown_path
from attention.serving.access import KEY
from attention.visitors.library import Library
from attention.visitors.scores import has_scores
from attention.visitors.service import Service


def addresses(service: Service, address: str, shown: Sequence[Path]) -> list[tuple[str, str]]:
    """The links that a person is told of: the page with the library, or each folder that is to be shown.

    Of a folder with several runs it is the newest one. Raises InvalidRequest where there is none.
    """
    page = address.rstrip("/") + "/" + (f"?{urlencode({KEY: service.key.value})}" if service.key.value else "")
    if not shown:
        return [("With your kept runs", page)] if service.key.value and not service.is_hosted else []
    links = []
    for folder in shown:
        if has_scores(folder):
            links.append((folder.name, f"{page}#scores"))
            continue
        library = Library([folder], user_cache_folder() / "library")
        library.look()
        line = next(iter(library.lines()), None)
        if line is None:
            raise InvalidRequest(f"There is no finished run in {shown_path(folder)}.")
        name = "run" if line.row["kind"] == "run" else "compare"
        links.append((folder.name, f"{page}#{urlencode({name: line.row['id']})}"))
    return links
