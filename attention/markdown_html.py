"""A page of Markdown as HTML: the few forms that our own pages use, every text escaped.

Headings, paragraphs, lists, tables, code, bold, italics and links; a link within the project is its words alone, as
there is nothing at its address in an app. Braces and dollars are written so that no template takes them for its own.
"""

from __future__ import annotations

import html
import re

SIGNS = {"{": "&#123;", "}": "&#125;", "$": "&#36;"}
FENCED = re.compile(r"^```\w*\n(.*?)\n```$", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"(#{1,3}) (.+)")
INLINE = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<bold>.+?)\*\*|\*(?P<italic>[^*\n]+)\*|\[(?P<words>[^\]]+)\]\((?P<to>[^)]+)\)", re.DOTALL
)


def as_html(text: str) -> str:
    """The page as HTML. A heading has its words in lower case, with hyphens between, as `data-about`."""
    parts = []
    for place, part in enumerate(FENCED.split(text)):  # texts and code in turn
        if place % 2:
            parts.append(f"<pre>{_escaped(part)}</pre>")
        else:
            parts += [_block(block.strip("\n")) for block in re.split(r"\n\s*\n", part) if block.strip()]
    return "\n".join(parts)


def slug(title: str) -> str:
    """The name of a heading, by which it is found."""
    return "-".join(re.findall(r"[a-z0-9]+", title.lower()))


def _block(text: str) -> str:
    lines = text.splitlines()
    if heading := HEADING.fullmatch(lines[0]):
        level, title = len(heading[1]) + 1, heading[2]  # the page around it has the first
        rest = [_block("\n".join(lines[1:]))] if lines[1:] else []
        return "\n".join([f'<h{level} data-about="{slug(title)}">{_inline(title)}</h{level}>', *rest])
    if text.startswith("|"):
        head, _, *rows = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines)
        body = "".join(_row(cells, "td") for cells in rows)
        return f"<table><thead>{_row(head, 'th')}</thead><tbody>{body}</tbody></table>"
    if text.startswith("* "):
        items = "".join(f"<li>{_inline(item)}</li>" for item in re.split(r"^\* ", text, flags=re.MULTILINE)[1:])
        return f"<ul>{items}</ul>"
    return f"<p>{_inline(text)}</p>"


def _row(cells: list[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{_inline(cell)}</{tag}>' for cell in cells)}</tr>"


def _inline(text: str) -> str:
    """A text with its marks as elements."""
    parts, at = [], 0
    for found in INLINE.finditer(text):
        parts.append(_escaped(text[at : found.start()]))
        at = found.end()
        if found["code"]:
            parts.append(f"<code>{_escaped(found['code'])}</code>")
        elif found["bold"]:
            parts.append(f"<strong>{_inline(found['bold'])}</strong>")
        elif found["italic"]:
            parts.append(f"<em>{_inline(found['italic'])}</em>")
        elif found["to"].startswith("https://"):
            parts.append(
                f'<a href="{_escaped(found["to"])}" target="_blank" rel="noopener">{_inline(found["words"])}</a>'
            )
        else:
            parts.append(_inline(found["words"]))
    return "".join([*parts, _escaped(text[at:])])


def _escaped(text: str) -> str:
    return re.sub(r"[{}$]", lambda sign: SIGNS[sign[0]], html.escape(text))
