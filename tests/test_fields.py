"""A field of a request or of an export is one row: flags, endpoints and routes are made of it."""

from types import SimpleNamespace

import gradio as gr
import pytest

import app
from attention import request
from attention.commands import main as command_line
from attention.errors import InvalidRequest
from attention.exports import wanted
from attention.fields import Field
from attention.page import endpoints, inputs
from attention.serving import parameters
from attention.visitors.store import RunCache


@pytest.fixture
def temperature(monkeypatch):
    """A field that a request does not have."""
    row = Field("temperature", float, 0.5, "how boldly it answers", "T")
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
        made = {each.name: each.default for each in endpoints.parameters_of(names)}
        assert made["temperature"] == 0.5
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


@pytest.fixture
def blur(monkeypatch):
    """A field that an export does not have."""
    row = Field("blur", float, None, "how soft it is", "B", wanted.DRAWING)
    monkeypatch.setitem(wanted.FIELDS, row.name, row)


def test_a_new_row_of_an_export_is_a_flag_and_a_parameter(blur, capsys):
    parser = command_line.build_parser()
    given = ["export", "run", "--format", "png", "--output", "x"]
    assert parser.parse_args(given).blur is None and parser.parse_args([*given, "--blur", "0.5"]).blur == 0.5
    with pytest.raises(SystemExit):
        parser.parse_args(["export", "--help"])
    assert "how soft it is" in capsys.readouterr().out
    last = endpoints.parameters_of(endpoints.export_names())[-1]
    assert (last.name, last.default) == ("blur", None)
    with gr.Blocks():
        assert isinstance(endpoints.component_of("blur"), gr.Number)


def test_a_new_row_of_an_export_is_read_from_an_address(blur, monkeypatch):
    taken = {}
    monkeypatch.setattr(parameters.Wanted, "read", taken.update)
    parameters.read_wanted(SimpleNamespace(query_params={"blur": "0.5", "palette": "grey"}))
    assert taken == {"blur": 0.5, "look": {"palette": "grey"}}


def test_values_of_the_endpoint_of_exports_are_those_of_an_export():
    given = {"ticket": "t", "format": "png", "layer": "3", "query": "7", "received": None, "show": [], "look": None}
    assert endpoints.wanted_of(given) == {"layer": 3, "query": 7, "received": False, "show": None, "look": None}
    assert endpoints.wanted_of({"head": "mean", "left": "", "split": 0, "difference_high": "largest", "look": {}}) == {
        "head": "mean", "left": None, "split": 0, "difference_high": "largest", "look": {},
    }  # fmt: skip
    with pytest.raises(InvalidRequest, match="key"):
        endpoints.wanted_of({"key": "few", "look": None})


def test_every_field_of_a_request_is_on_the_page_or_left_to_scripts(tmp_path):
    service = app.new_service(RunCache(tmp_path, library=True, sweep_every=None), is_hosted=False)
    with gr.Blocks():
        shown = inputs.ask_inputs(service)[0] | inputs.request_settings(service)
    values = {name: each.value for name, each in shown.items()} | {"adapter": "a", "adapter_scale": 1.0}
    values |= {"adapter_rename": False, "adapter_alone": False}
    assert {*inputs.fields_of(values), *inputs.LEFT_TO_SCRIPTS} == set(request.FIELDS)
    service.close()
