"""Descriptions of the endpoints: the type and the words of every parameter and of what is returned.

Owns how they get into /gradio_api/info, and so into a client's `view_api` and the page's "Use via API". The words are
those of the fields' rows. Knows Gradio's components, and no endpoint by its name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.utils import get_function_params
from gradio_client.utils import python_type_to_json_schema

from attention.fields import Field

CHOICES = re.compile(r"[a-z0-9]+(\|[a-z0-9]+)+")  # a metavar that lists every value
TYPES: dict[object, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    int | str: {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    float | str: {"anyOf": [{"type": "number"}, {"type": "string"}]},
    list: {"type": "array", "items": {}},
    dict: {"type": "object", "additionalProperties": {}},
}


class Described:
    """An endpoint that was just made, whose parts are given their words."""

    def __init__(self, made: gr.events.Dependency):
        root = gr.context.Context.root_block
        assert root is not None  # endpoints are made within the page
        self._function = root.fns[made["id"]]

    def takes(self, fields: Mapping[str, Field], examples: Mapping[str, Any] | None = None) -> Described:
        """Describe every parameter by its field; `examples` are shown for those that must be given."""
        names = [name for name, *_ in get_function_params(self._function.fn)]
        for name, component in zip(names, self._function.inputs, strict=False):
            _describe_parameter(component, fields[name], (examples or {}).get(name))
        return self

    def gives(self, *results: tuple[str, Any, str]) -> None:
        """Describe what is returned, each by its name, its type (None as the component has it) and its words."""
        for component, (name, kind, words) in zip(self._function.outputs, results, strict=True):
            _describe_result(component, name, kind, words)


def _describe_parameter(component: Any, field: Field, example: Any) -> None:
    of_type = component.api_info() if field.kind is tuple else schema_of(field)  # files keep Gradio's own type
    info = of_type | {"additional_description": field.words or ""}
    component.label = field.name
    component.api_info_as_input = lambda: info
    if example is not None:
        component.example_inputs = lambda: example


def _describe_result(component: Any, name: str, kind: Any, words: str) -> None:
    of_type = component.api_info() if kind is None else python_type_to_json_schema(kind)
    info = of_type | {"description": words}
    component.label = name
    component.api_info_as_output = lambda: info


def schema_of(field: Field) -> dict[str, Any]:
    """The type of a field's values as a JSON schema."""
    if field.kind is str and field.metavar and CHOICES.fullmatch(field.metavar):
        return {"enum": field.metavar.split("|")}
    return TYPES[field.kind]
