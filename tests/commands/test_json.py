"""--json: one object on stdout, of a result or of an error, with the exit codes that people get; --quiet; --image."""

import json

import numpy as np
import pytest
from PIL import Image

from attention import open_run
from attention.commands import capture, listings
from attention.commands import main as command_line
from attention.environment import EXAMPLES
from attention.verify import checks as verification
from attention.verify.table import Check


@pytest.fixture
def call(capsys):
    """Run a command with --json; return its exit code and the object that it prints, and stderr."""

    def run(*arguments):
        try:
            code = command_line.main([str(argument) for argument in (*arguments, "--json")])
        except SystemExit as ended:
            code = ended.code
        said = capsys.readouterr()
        (line,) = said.out.splitlines()
        return code, json.loads(line), said.err

    return run


@pytest.fixture
def pictures(tmp_path):
    """Pictures that differ in width."""
    paths = [tmp_path / f"{width}.png" for width in (64, 96, 128)]
    for path in paths:
        Image.new("RGB", (int(path.stem), 64), "red").save(path)
    return paths


def test_extract_says_what_it_made_and_several_pictures_keep_their_order(call, tiny_folder, pictures, tmp_path):
    first, second, third = pictures
    flags = [
        "--image",
        third,
        first,
        "--image",
        second,
        "--prompt",
        "which?",
        "--answer",
        "red",
        "--model",
        tiny_folder,
    ]
    code, made, err = call("extract", *flags, "--output-dir", tmp_path / "run", "--device", "cpu", "--quiet")
    assert code == 0 and err == ""
    with open_run(made["folder"]) as run:
        info = run.info
        assert [image["width"] for image in info["images"]] == [image["width"] for image in made["images"]]
        assert [image["width"] for image in made["images"]] == [128, 64, 96]
        assert made["id"] == info["id"] and made["answer"] == "red" and made["model"] == tiny_folder
        assert made["family"] == info["model"]["family"] and made["tokens"] == len(info["tokens"])
        assert (made["layers"], made["heads"]) == (len(run.layers()), run.heads())
        assert made["bytes"] == info["bytes"] > 0 and made["seconds"] > 0 and made["towers"].keys() == {*run.towers()}


def test_compare_says_what_it_made(call, tmp_path, pictures, monkeypatch):
    monkeypatch.setattr(capture, "make", lambda *_: EXAMPLES / "compared")
    flags = ["--prompt", "what color is it?", "--adapter", "largest", "german=0.5", "--output-dir", tmp_path / "both"]
    code, made, err = call("compare", "--image", pictures[0], *flags)
    assert code == 0 and err == ""
    assert [member["member"] for member in made["members"]] == ["base", "adapter_1"]
    assert [member["adapter"] and member["adapter"]["id"] for member in made["members"]] == [None, "largest"]
    assert made["members"][0]["moved"] == [] and len(made["members"][1]["moved"]) == 5
    assert (made["kind"], made["shared_tokens"], made["answer"]) == ("comparison", 95, "red")


def test_export_models_adapters_inspect_and_verify_say_it_in_an_object(call, tiny_run, tmp_path, monkeypatch):
    code, made, _ = call("export", tiny_run, "--format", "npz", "--output", tmp_path / "a.npz")
    assert code == 0 and made == {
        "file": str(tmp_path / "a.npz"), "format": "npz", "kind": "run", "bytes": (tmp_path / "a.npz").stat().st_size,
    }  # fmt: skip
    assert np.load(made["file"]).files
    models = call("models")[1]["models"]
    assert [model["default"] for model in models].count(True) == 1 and {"id", "label", "note"} < models[0].keys()
    types = call("models", "--all")[1]["model_types"]
    assert {"name": "qwen3_vl", "family": "Qwen3-VL", "refused": None} in types
    adapters = call("adapters", "--model", "pocket")[1]
    assert "largest" in [offer["id"] for offer in adapters["adapters"]] and adapters["notes"] == []
    assert call("inspect", "largest", "--model", "pocket")[1]["rank"]
    monkeypatch.setattr(
        verification, "verify", lambda *_, **__: [Check("rows sum to one", False, "2.0e-01", "1.0e-05")]
    )
    code, made, _ = call("verify", "--model", "pocket")
    assert code == 1 and not made["passed"] and made["checks"][0]["name"] == "rows sum to one"


@pytest.mark.parametrize(
    "arguments, code, kind, words",
    [
        (["extract", "--output-dir", "x"], 2, "InvalidRequest", "The prompt is empty"),
        (["extract", "--prompt", "x", "--image", "none.png", "--output-dir", "x"], 2, "InvalidRequest", "is no file"),
        (["extract", "--prompt", "x"], 2, "InvalidRequest", "required: --output-dir"),
        (["extract", "--colour", "red", "--output-dir", "x"], 2, "InvalidRequest", "unrecognized arguments: --colour"),
        (["extract", "--prompt", "x", "--model", "no such", "--output-dir", "x"], 1, "ModelUnavailable", "no model"),
        (["export", "none", "--format", "npz", "--output", "x"], 1, "DamagedRun", "is not a finished run"),
        (["inspect", "none", "--model", "pocket"], 2, "InvalidRequest", "none"),
        (["nonsense"], 2, "InvalidRequest", "invalid choice: 'nonsense'"),
    ],
)
def test_an_error_is_an_object_too_with_the_same_exit_code(call, tmp_path, monkeypatch, arguments, code, kind, words):
    monkeypatch.chdir(tmp_path)
    found, said, err = call(*arguments, *(["--quiet"] if arguments[0] in ("extract", "inspect") else []))
    assert (found, said["kind"], said.keys(), err) == (code, kind, {"error", "kind"}, "")
    assert words in said["error"] and not list(tmp_path.iterdir())


def test_a_fault_and_a_stop_are_objects_too(call, monkeypatch):
    for error, code, kind in ((KeyError("x"), 1, "KeyError"), (KeyboardInterrupt(), 130, "Cancelled")):

        def fail(*_, error=error):
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(listings, "print_json", fail)
            found, said, err = call("models")
        assert (found, said["kind"], err) == (code, kind, "") and said["error"]
