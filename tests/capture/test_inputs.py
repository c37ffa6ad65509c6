"""A picture is opened, validated and prepared once where one process makes a run; other inputs are made anew."""

import dataclasses

import pytest
from made_adapters import saved_adapter
from PIL import Image

from attention import Request, extract
from attention.capture import images, inputs
from attention.capture.extraction import fill
from attention.capture.forecast import forecast
from attention.commands.main import main
from attention.limits import Limits
from attention.runs.partial import PartialRun
from attention.runs.run import Run
from attention.visitors.store import RunCache


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    Image.effect_noise((96, 64), 90).convert("RGB").save(path)
    return path


@pytest.fixture
def counts(monkeypatch):
    """Counts of pictures opened, requests validated, and inputs made."""
    done = dict.fromkeys(("open", "validate", "prepare"), 0)

    def counted(name, function):
        def call(*given, **fields):
            done[name] += 1
            return function(*given, **fields)

        return call

    monkeypatch.setattr(images, "open_image", counted("open", images.open_image))
    monkeypatch.setattr(Request, "validate", counted("validate", Request.validate))
    monkeypatch.setattr(inputs, "_within_limits", counted("prepare", inputs._within_limits))
    return done


ONCE = {"open": 1, "validate": 1, "prepare": 1}


def test_python_does_each_once(counts, tiny_folder, picture, tmp_path):
    extract(Request(picture, "what?", tiny_folder, answer="red", device="cpu"), tmp_path / "run").close()
    assert counts == ONCE


@pytest.mark.parametrize("adapters", [(), ("extract",), ("compare",)], ids=["plain", "adapter", "compare"])
def test_the_command_line_does_each_once(counts, tiny_folder, picture, tmp_path, adapters, capsys):
    flags = ["--model", tiny_folder, "--image", str(picture), "--prompt", "what?", "--answer", "red", "--device", "cpu"]
    command = adapters[0] if adapters else "extract"
    if adapters:
        flags += ["--adapter", str(saved_adapter(tiny_folder, tmp_path / "adapter"))]
    assert main([command, *flags, "--output-dir", str(tmp_path / "run")]) == 0, capsys.readouterr().err
    assert counts == ONCE


def test_inputs_made_within_other_limits_are_made_anew(counts, tiny_folder, picture, tmp_path):
    request = Request(picture, "what?", tiny_folder, device="cpu")
    expected = forecast(request, dataclasses.replace(Limits.local("cpu"), tokens=100_000))
    folder = fill(request, PartialRun.create(tmp_path / "run"), prepared=expected.prepared)
    assert counts == {"open": 1, "validate": 1, "prepare": 2}
    with Run(folder) as run:
        assert run.info["images"][0]["width"] == 96


def test_the_app_does_each_once(counts, tiny_folder, picture, tmp_path):
    import app

    cache = RunCache(tmp_path / "runs", library=True, sweep_every=None)
    service = app.new_service(cache, is_hosted=False, model=tiny_folder)
    service.load()
    fields = {"images": [str(picture)], "prompt": "what?", "answer": "red", "device": "cpu"}
    with service.job(fields, "somebody") as job:
        job.join(60)
        assert cache.run(job.result()["ticket"]).info["answer"] == "red"
    service.close()
    assert counts == ONCE | {"validate": 2}, "what is wrong at first sight is said before its turn comes, too"
