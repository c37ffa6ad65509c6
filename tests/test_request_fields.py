"""A field of a request is one row: flags and endpoints are made of it."""

import gradio as gr
import pytest

from attention import __main__ as command_line
from attention import request
from attention.errors import InvalidRequest
from attention.page import endpoints


@pytest.fixture
def temperature(monkeypatch):
    """A field that a request does not have."""
    row = request.Field("temperature", float, 0.5, "how boldly it answers", "T")
    monkeypatch.setitem(request.FIELDS, row.name, row)
    return row


def test_a_new_row_is_a_flag(temperature, capsys):
    parser = command_line.build_parser()
    for command, more in (("extract", []), ("compare", ["--adapter", "a"])):
        given = [command, *more, "--output-dir", "x"]
        assert parser.parse_args(given).temperature == 0.5
        assert parser.parse_args([*given, "--temperature", "0.25"]).temperature == 0.25
        with pytest.raises(SystemExit):
            parser.parse_args([command, "--help"])
        assert "how boldly it answers" in capsys.readouterr().out


def test_a_new_row_is_a_parameter_of_the_endpoints(temperature):
    for names in (endpoints.analyze_names(), endpoints.compare_names()):
        last = endpoints.parameters_of(names)[-1]
        assert (last.name, last.default) == ("temperature", 0.5)
    with gr.Blocks():
        assert isinstance(endpoints.component_of("temperature"), gr.Number)
    assert endpoints.values_of({"temperature": 0.25}) == {"temperature": 0.25}


def test_values_of_an_endpoint_are_those_of_a_request():
    given = {"prompt": None, "max_new_tokens": 7.0, "max_visual_tokens": None, "vision": None, "adapter_alone": None}
    assert endpoints.values_of(given) == {
        "prompt": "", "max_new_tokens": 7, "max_visual_tokens": None, "vision": None, "adapter_alone": False,
    }  # fmt: skip
    for name, value in (("max_new_tokens", 1.5), ("max_new_tokens", "many"), ("max_visual_tokens", "few")):
        with pytest.raises(InvalidRequest, match=name):
            endpoints.values_of({name: value})
