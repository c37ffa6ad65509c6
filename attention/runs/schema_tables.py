"""FORMAT.md's tables of fields, made of the schema: `python -m attention.runs.schema_tables` writes them anew.

Owns how a field is told of in a table. Knows no field.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from .schema import COMPARISON, RUN

Node = dict[str, Any]  # of a JSON Schema

PAGE = Path(__file__).with_name("FORMAT.md")
TABLES: dict[str, TypeAdapter[Any]] = {"run.json": RUN, "comparison.json": COMPARISON}
KINDS = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true, false", "null": "null"}


def page(text: str) -> str:
    """FORMAT.md with the tables between its marks, `<!-- fields of run.json -->` and `<!-- end -->`, made anew."""
    told: set[str] = set()
    for name, schema in TABLES.items():
        root = schema.json_schema()
        records = [record for record in _records(root) if record not in told]
        told |= set(records)
        made = [_table(root), *(f"`{record}`:\n\n{_table(root['$defs'][record])}" for record in records)]
        between = f"<!-- fields of {name} -->\n\n" + "\n\n".join(made) + "\n\n<!-- end -->"
        start = text.index(f"<!-- fields of {name} -->")
        end = text.index("<!-- end -->", start) + len("<!-- end -->")
        text = text[:start] + between + text[end:]
    return text


def _table(record: Node) -> str:
    lines = ["| field | kind | what it is |", "| --- | --- | --- |"]
    for name, node in record["properties"].items():
        kinds = [*_kinds(node), *([] if name in record["required"] else ["left out"])]
        lines.append(f"| `{name}` | {_either(kinds)} | {node['description']} |")
    return "\n".join(lines)


def _kinds(node: Node) -> list[str]:
    """The kinds that a value may be of, each in a word or two."""
    if "$ref" in node:
        return [f"`{node['$ref'].rpartition('/')[2]}`"]
    if "anyOf" in node or "oneOf" in node:
        return [kind for each in node.get("anyOf") or node["oneOf"] for kind in _kinds(each)]
    if "enum" in node:
        return [f"`{each}`" for each in node["enum"]]
    if node["type"] == "array":
        kinds = _kinds(node["items"])
        return [f"list of {kinds[0]}" if len(kinds) == 1 else f"list of ({_either(kinds)})"]
    if node["type"] == "object":
        values = node["additionalProperties"]
        return [f"{{name: {_either(_kinds(values))}}}" if isinstance(values, dict) else "record"]
    return [KINDS[node["type"]]]


def _either(kinds: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(kinds[:-1]), kinds[-1]]))


def _records(root: Node) -> list[str]:
    """The records in the order in which the file's fields name them."""
    found: list[str] = []

    def look(node: object) -> None:
        if isinstance(node, dict):
            name = str(node.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found.append(name)
                look(root["$defs"][name])
            for each in node.values():
                look(each)
        elif isinstance(node, list):
            for each in node:
                look(each)

    look(root["properties"])
    return found


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
