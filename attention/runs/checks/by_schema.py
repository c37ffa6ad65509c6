"""A foreign file's content held against its schema; what is wrong first becomes a sentence.

Owns the words for a field by its path, and for what it must be by its schema. The fields themselves are those of
`attention.runs.schema`; how they must fit each other is not asked here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from attention.errors import quoted
from attention.runs.schema import COMPARISON, RUN

from .json_fields import A_TIME, Fields

Node = dict[str, Any]  # of a JSON Schema
Path = tuple[str | int, ...]

# A field is said as "the <field> of <its record>", a value of a list as the list is, unless its path stands here: `*`
# is any name or place, {1} the second part of the path, {q[1]} the same in quotes, {member} a comparison's member.
RUN_WORDS = {
    "model.*": "the model's {1}",
    "adapter.*": "the adapter's {1}",
    "adapter.without": "the files beside the adapter",
    "adapter.without.*": "a file beside the adapter",
    "messages.*": "a message",
    "tokens.*": "token {1}",
    "images.*": "image {1}",
    "grids.*": "grid {1}",
    "grids.*.box_px": "the box of grid {1}",
    "towers.*": "tower {1}",
    "towers.*.heads": "the number of heads of tower {1}",
    "towers.*.queries": "the number of queries of tower {1}",
    "towers.*.keys.*": "key {3} of tower {1}",
    "towers.*.layers.*": "a layer of tower {1}",
    "unread_towers.*": "unread tower {1}",
    "points.*": "one of points",
    "boxes.*": "one of boxes",
    "unplaced.*": "one of unplaced",
    "unplaced.*.why": "the reason of one of unplaced",
    "unplaced.*.on": "the pictures of one of unplaced",
    "unplaced.*.on.*": "a picture of one of unplaced",
    "groups.*": "the groups of tower {1}",
    "groups.*.*": "a group of tower {1}",
    "groups.*.*.spans.*": "a span of a group of tower {1}",
    "sinks.*": "the sinks of tower {1}",
    "sinks.*.*": "the sinks of layer {q[2]}",
    "sinks.*.*.*": "a sink of layer {q[2]}",
    "logprobs.*": "a logprob",
    "notes.*": "a note",
    "timings_ms.*": "timings_ms of {q[1]}",
}
COMPARISON_WORDS = {
    "model.*": "the model's {1}",
    "members.*": "{member}",
    "members.*.model.*": "the model's {3} of {member}",
    "members.*.adapter.*": "the adapter's {3} of {member}",
    "members.*.adapter.without": "the files beside the adapter of {member}",
    "members.*.adapter.without.*": "a file beside the adapter of {member}",
    "members.*.changes": "the weight changes of {member}",
    "members.*.changes.*": "a weight change of {member}",
    "measures.*": "measure {1}",
    "measures.*.unit": "the unit of {1}",
    "queries.*": "the queries of tower {1}",
    "queries.*.*": "a query of tower {1}",
    "layers.*": "the layers of tower {1}",
}
WITHOUT_ARTICLE = re.compile(r"\w|\w\d|\w*_\w*|frobenius|relative|spectral|magnitude")  # "x of ...", "part_of of ..."


def check_run_fields(info: object, fields: Fields) -> None:
    """Hold a run.json against its schema. Raises DamagedRun for the first field that has another value than it may."""
    _check(info, RUN, RUN_WORDS, fields)


def check_comparison_fields(info: object, fields: Fields) -> None:
    """Hold a comparison.json against its schema, likewise."""
    _check(info, COMPARISON, COMPARISON_WORDS, fields)


def _check(info: object, schema: TypeAdapter[Any], words: Mapping[str, str], fields: Fields) -> None:
    try:
        schema.validate_python(info)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        path, node = _found(schema.json_schema(), first["loc"])
        where = words_of(path, words)
        value: Any = None if first["type"] == "missing" else first["input"]
        if first["type"] == "string_too_long":
            wanted = f"at most {node['maxLength']:,} characters long, and has {len(value):,}"
        elif first["type"] == "too_long" and isinstance(value, dict):
            value, wanted = f"{len(value):,} fields", f"at most {node['maxProperties']:,}"
        elif first["type"] == "too_long":
            value, wanted = f"{len(value):,} long", f"a list of at most {node['maxItems']:,}"
        elif first["type"] == "too_short":
            value, wanted = f"{len(value):,} long", f"a list of at least {node['minItems']:,}"
        else:
            wanted = wanted_of(node)
        raise fields.wrong(where, value, wanted) from None


def words_of(path: Path, words: Mapping[str, str]) -> str:
    """The words for the field at a path, as "the text of token 4"."""
    said = [part if isinstance(part, int) or re.fullmatch(r"\w{1,60}", part) else quoted(part) for part in path]
    for pattern, text in words.items():
        names = pattern.split(".")
        if len(names) == len(path) and all(name in ("*", part) for name, part in zip(names, path, strict=True)):
            member = "base" if len(path) < 2 or path[1] == 0 else f"adapter_{path[1]}"
            return text.format(*said, q=[quoted(str(part)) for part in path], member=member)
    if len(path) == 1:
        return str(said[0])
    above = words_of(path[:-1], words)
    if isinstance(path[-1], int):
        return above
    return f"{'' if WITHOUT_ARTICLE.fullmatch(path[-1]) else 'the '}{said[-1]} of {above}"


def wanted_of(node: Node) -> str:
    """The words for what a value must be, by its node of the JSON Schema."""
    choices = [each for each in node.get("anyOf") or node.get("oneOf") or [] if each.get("type") != "null"]
    if choices:
        return " or ".join(dict.fromkeys(wanted_of(each) for each in choices))
    if "enum" in node:
        return " or ".join(node["enum"]) if len(node["enum"]) == 2 else f"one of {', '.join(node['enum'])}"
    least: Any = node.get("minimum")
    most = node.get("maximum", node.get("exclusiveMaximum", 1) - 1)
    if node.get("format") == "date-time":
        return A_TIME
    if node["type"] == "integer":
        return "a whole number" if least is None else f"a whole number from {least:,} to {most:,}"
    if node["type"] == "number":
        return f"a number up to {most:,}" if least < 0 else f"a number from {least:,} to {most:,}"
    if node["type"] == "string":
        return "letters and digits" if "pattern" in node else "a text"
    return {"array": "a list", "object": "a record of named fields", "boolean": "true or false"}[node["type"]]


def _found(schema: Node, location: Path) -> tuple[Path, Node]:
    """The path of an error without the parts that only say which of two types was meant, and the node of the schema."""
    node, path = schema, []
    for part in location:
        node = _open(schema, node)
        if "oneOf" in node:
            node = node["oneOf"][int(part)]
            continue
        path.append(part)
        if isinstance(part, int):
            node = node["items"]
        else:
            node = node.get("properties", {}).get(part) or node["additionalProperties"]
    return tuple(path), _open(schema, node)


def _open(schema: Node, node: Node) -> Node:
    """A node itself, where it stands under a name or may be null."""
    choices = [each for each in node.get("anyOf", []) if each.get("type") != "null"]
    if len(choices) == 1:
        return _open(schema, choices[0])
    if "$ref" in node:
        return _open(schema, schema["$defs"][node["$ref"].rpartition("/")[2]])
    return node
