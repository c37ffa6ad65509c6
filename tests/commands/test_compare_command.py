"""`compare` in the terminal with whole models and finished runs; adapters and models that were named as each other."""

import contextlib
import io
import json

import pytest
from made_adapters import saved_adapter
from PIL import Image

from adapters import open_comparison
from attention import open_run
from attention.commands import main as command_line

ASKED = ["--prompt", "what color is the star?", "--answer", "red", "--device", "cpu", "--no-vision"]


@pytest.fixture
def call(tmp_path):
    """Run a command; returns its exit code, its output and its messages."""
    picture = tmp_path / "picture.png"
    Image.effect_noise((96, 64), 90).convert("RGB").save(picture)

    def run(name, *arguments, folder="out"):
        out, err = io.StringIO(), io.StringIO()
        asked = [] if "--runs" in arguments else ["--image", picture, *ASKED]
        words = [name, *asked, *arguments, "--output-dir", tmp_path / folder]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = command_line.main([str(word) for word in words])
        return code, out.getvalue(), err.getvalue()

    return run


@pytest.fixture(scope="module")
def adapter(tiny_folder, tmp_path_factory):
    """An adapter that says its base, as PEFT writes it."""
    folder = saved_adapter(tiny_folder, tmp_path_factory.mktemp("adapters") / "gui", size=0.5)
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = tiny_folder
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def test_models_and_adapters_are_compared_together_and_named_in_the_record(call, tiny_folder, adapter, tmp_path):
    code, out, _ = call(
        "compare", "--model", tiny_folder, "--with", f"{tiny_folder}=bfloat16", "--adapter", adapter, "--json"
    )
    record = json.loads(out)
    assert code == 0 and [each["member"] for each in record["members"]] == ["base", "adapter_1", "model_2"]
    assert record["members"][2]["model"]["dtype"] == "bfloat16" and record["members"][2]["name"].endswith("bfloat16")
    with open_comparison(tmp_path / "out") as both:
        assert both.run("model_2").info["model"]["dtype"] == "bfloat16"


def test_finished_runs_are_compared_without_a_model(call, tiny_run, tmp_path):
    code, out, err = call("compare", "--runs", tiny_run, tiny_run)
    assert code == 0 and out.strip() == str(tmp_path / "out") and "No head reads the picture otherwise" in err
    code, _, err = call("compare", "--runs", tiny_run, tiny_run, "--adapter", "x", folder="none")
    assert code == 2 and "leave out --adapter" in err and not (tmp_path / "none").exists()


def test_an_adapter_named_as_the_model_is_run_on_its_base_and_a_model_named_as_adapter_by_itself(
    call, tiny_folder, adapter, tmp_path
):
    code, _, err = call("extract", "--model", adapter, folder="on")
    assert code == 0 and f"{adapter} is an adapter: it is put on its base" in err
    with open_run(tmp_path / "on") as run:
        assert run.info["adapter"]["id"] == str(adapter) and run.info["model"]["id"] == tiny_folder
    code, _, err = call("extract", "--adapter", tiny_folder, folder="alone")
    assert code == 0 and "is a whole model: it is run by itself" in err
    with open_run(tmp_path / "alone") as run:
        assert run.info["adapter"] is None and run.info["model"]["id"] == tiny_folder
    code, _, _ = call("compare", "--model", adapter, folder="both")
    assert code == 0
    with open_comparison(tmp_path / "both") as both:
        assert both.info["members"][1]["adapter"]["id"] == str(adapter)
    for arguments, said in (
        (("extract", "--model", adapter, "--adapter", adapter), "a run has one"),
        (("extract", "--model", tiny_folder, "--adapter", tiny_folder), "is a whole model"),
        (("compare", "--model", tiny_folder), "Name what is compared"),
    ):
        code, _, err = call(*arguments, folder="none")
        assert code != 0 and said in err and not (tmp_path / "none").exists()
