"""Coverage of the viewer's modules, as Chromium itself counts it.

Off unless VIEWER_COVERAGE names a folder: then each test process leaves a file there, and
`python tests/browser/viewer_coverage.py FOLDER` says what all of them together have run, module by module.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from attention.viewer_files import BUNDLE, bundle, file_text

MODULE = re.compile(r"/assets/[0-9a-f]{16}/(.+\.js)$")


class ViewerCoverage:
    """Code that pages have run so far: functions by module, name and place, and the characters that were reached."""

    def __init__(self):
        self.functions: dict[str, dict[str, bool]] = defaultdict(dict)
        self.reached: dict[str, bytearray] = {}

    def add(self, scripts: list[dict]) -> None:
        """Add one answer of Profiler.takePreciseCoverage."""
        for script in scripts:
            found = MODULE.search(script["url"])
            if found and found[1] == BUNDLE:
                for module, first in bundle()[1].items():
                    self._add_module(module, _of_module(script["functions"], first, len(file_text(module))))
            elif found:
                self._add_module(found[1], script["functions"])

    def _add_module(self, module: str, functions: list[dict]) -> None:
        seen = self.functions[module]
        size = max(part["endOffset"] for function in functions for part in function["ranges"])
        reached = self.reached.setdefault(module, bytearray(size))
        reached.extend(bytes(size - len(reached)))
        now = bytearray(size)
        for function in functions:
            first = function["ranges"][0]
            name = f"{function['functionName'] or '-'}@{first['startOffset']}"
            seen[name] = seen.get(name, False) or first["count"] > 0
            for part in function["ranges"]:  # those inside come after those around them
                start, end = part["startOffset"], part["endOffset"]
                now[start:end] = (b"\1" if part["count"] else b"\0") * (end - start)
        for at, is_reached in enumerate(now):
            reached[at] |= is_reached

    def write(self, path: Path) -> None:
        rows = self.reached.items()
        spans = {module: [match.span() for match in re.finditer(rb"\x01+", row)] for module, row in rows}
        sizes = {module: len(row) for module, row in rows}
        path.write_text(json.dumps({"functions": self.functions, "spans": spans, "sizes": sizes}))

    def read(self, path: Path) -> None:
        """Add what another process has written."""
        held = json.loads(path.read_text())
        for module, functions in held["functions"].items():
            seen = self.functions[module]
            for name, is_run in functions.items():
                seen[name] = seen.get(name, False) or is_run
            size = held["sizes"][module]
            row = self.reached.setdefault(module, bytearray(size))
            row.extend(bytes(size - len(row)))
            for start, end in held["spans"][module]:
                row[start:end] = b"\1" * (end - start)


def _of_module(functions: list[dict], first: int, size: int) -> list[dict]:
    """The functions of a module out of those of the bundle, in which it begins at `first`; itself as a function too."""
    found = []
    for function in functions:
        parts = [
            {**part, "startOffset": max(0, part["startOffset"] - first), "endOffset": part["endOffset"] - first}
            for part in function["ranges"]
            if part["startOffset"] < first + size and part["endOffset"] > first
        ]
        if parts:
            found.append(
                {**function, "ranges": [{**each, "endOffset": min(size, each["endOffset"])} for each in parts]}
            )
    return found


@contextmanager
def collected(folder: Path) -> Iterator[None]:
    """Count every page that is opened inside, and write what they have run to a file of the folder."""
    from playwright.sync_api import BrowserContext, Page

    found, sessions = ViewerCoverage(), {}

    def take(page) -> None:
        if page in sessions and not page.is_closed():
            found.add(sessions[page].send("Profiler.takePreciseCoverage")["result"])

    def new_page(context, old=BrowserContext.new_page):
        page = old(context)
        sessions[page] = session = context.new_cdp_session(page)
        session.send("Profiler.enable")
        session.send("Profiler.startPreciseCoverage", {"callCount": True, "detailed": True})
        return page

    def goto(page, *args, old=Page.goto, **kwargs):
        take(page)
        return old(page, *args, **kwargs)

    def reload(page, *args, old=Page.reload, **kwargs):
        take(page)
        return old(page, *args, **kwargs)

    def close(context, *args, old=BrowserContext.close, **kwargs):
        for page in context.pages:
            take(page)
        return old(context, *args, **kwargs)

    BrowserContext.new_page, BrowserContext.close, Page.goto, Page.reload = new_page, close, goto, reload
    folder.mkdir(parents=True, exist_ok=True)
    yield  # a worker of a test run ends without what is registered for its end: the last page is gone by then
    found.write(folder / f"{os.getpid()}.json")


if __name__ == "__main__":
    everything = ViewerCoverage()
    for written in sorted(Path(sys.argv[1]).glob("*.json")):
        everything.read(written)
    of_functions, of_characters = [0, 0], [0, 0]
    for module, functions in sorted(everything.functions.items()):
        row, is_run = everything.reached[module], list(functions.values())
        print(f"{module:44} {sum(is_run):4} of {len(is_run):4} functions {100 * sum(row) / len(row):6.1f} % reached")
        of_functions = [of_functions[0] + sum(is_run), of_functions[1] + len(is_run)]
        of_characters = [of_characters[0] + sum(row), of_characters[1] + len(row)]
    reached = 100 * of_characters[0] / max(1, of_characters[1])
    print(f"{'all':44} {of_functions[0]:4} of {of_functions[1]:4} functions {reached:6.1f} % reached")
