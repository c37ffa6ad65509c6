"""The viewer's own files, and what a page puts together of them: modules, one style sheet, a template.

Knows neither Gradio nor how a page is served.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from functools import cache
from itertools import chain
from pathlib import Path

from .environment import VIEWER
from .markdown_html import as_html

TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
HOW_TO_READ = Path(__file__).parent / "readings" / "README.md"
FIRST_SHEET = "styles/page.css"
IMPORT = re.compile(r"^(?:import|export)\b[^;]*?from '(\.[^']+)'", re.MULTILINE)
BUNDLE = "viewer.js"
IMPORTED = re.compile(r"^import (\{[^}]*\}) from '(\.[^']+)';", re.MULTILINE)
EXPORTED = re.compile(r"^export (?=(?:async function|function|class|const) (\w+))", re.MULTILINE)
COMMENT = re.compile(r"^[ \t]*/\*\*(?:(?!\*/).)*\*/$", re.MULTILINE | re.DOTALL)
MOUNTS = re.compile(r"^export function mount\b", re.MULTILINE)


@cache
def viewer_files() -> tuple[str, dict[str, bytes]]:
    """A hash of the viewer's files, and the files by their paths below assets/viewer/.

    The hash is in their addresses, so that they cache for ever.
    """
    paths = sorted(path for path in VIEWER.rglob("*") if path.suffix in TYPES)
    files = {path.relative_to(VIEWER).as_posix(): path.read_bytes() for path in paths}
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16], files


def file_text(name: str) -> str:
    """The text of one of the viewer's files."""
    return viewer_files()[1][name].decode()


def without_comments(name: str) -> str:
    """The text of a module without the comments that fill whole lines, for a file that holds it."""
    return COMMENT.sub("", file_text(name))


def imported_by(name: str) -> list[tuple[str, str]]:
    """The modules that a module imports: as it writes them, and their paths."""
    found = IMPORT.findall(file_text(name))
    return [(written, posixpath.normpath(posixpath.join(posixpath.dirname(name), written))) for written in found]


@cache
def modules_of(entry: str) -> list[str]:
    """The modules that an entry imports, and those that they import, each after those that it imports itself."""
    found: dict[str, None] = {}

    def find(name: str) -> None:
        for _, other in imported_by(name):
            if other not in found:
                find(other)
        found.setdefault(name)

    find(entry)
    return list(found)


@cache
def bundle() -> tuple[str, dict[str, int]]:
    """The modules of all entries that a page mounts as one, which a browser fetches at once, and where each begins.

    A module is the scope of a function and keeps its length and its lines: in place of `import`, `export` and comments
    stand names and spaces. The whole exports `entries`, modules by their paths.
    """
    entries = [name for name in viewer_files()[1] if name.endswith(".js") and MOUNTS.search(file_text(name))]
    names = {name: f"${i}" for i, name in enumerate(dict.fromkeys(chain(*map(modules_of, entries))))}
    text, places = "", {}
    for name, scope in names.items():
        text += f"const {scope} = (() => {{\n"
        places[name] = len(text)
        exported = ", ".join(EXPORTED.findall(file_text(name)))
        text += f"{_as_scope(name, names)}\nreturn {{ {exported} }};\n}})();\n"
    mounted = ", ".join(f"'{name}': {names[name]}" for name in entries)
    return f"{text}export const entries = {{ {mounted} }};\n", places


def _as_scope(name: str, names: dict[str, str]) -> str:
    """A module's text as the body of a function, as long as it was."""

    def assigned(line: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), line[2]))
        return f"const  {line[1].replace(' as ', ' :  ')} = {names[path]};".ljust(len(line[0]))

    text = IMPORTED.sub(assigned, file_text(name))
    text = EXPORTED.sub(" " * len("export "), text).replace("\nexport {};", "\n" + " " * len("export {};"))
    return COMMENT.sub(lambda comment: re.sub(r"[^\n]", " ", comment[0]), text)


def styles() -> str:
    """All style sheets of the component as one: the common one first, then those of single views."""
    names = (name for name in viewer_files()[1] if name.startswith("styles/"))
    return "\n".join(file_text(name) for name in sorted(names, key=lambda name: (name != FIRST_SHEET, name)))


def template(name: str) -> str:
    """A template, with the parts that several have in place of the comments that name them."""
    whole = re.sub(r" *<!-- (\w+\.html) -->\n", lambda part: file_text(part[1]), file_text(name))
    return whole.replace("<!-- how_to_read -->", how_to_read())


@cache
def how_to_read() -> str:
    """The page that says which question each reading answers, as HTML."""
    return as_html(HOW_TO_READ.read_text(encoding="utf-8"))
