"""The command line: what it prints where, its exit codes, and that it leaves nothing when it fails or is stopped."""

import dataclasses
import errno
import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from safetensors import SafetensorError

from attention import open_run
from attention.capture import extraction, layer_writer
from attention.commands import main as command_line
from attention.commands import progress, view
from attention.commands.flags import plain_flags
from attention.errors import CaptureError
from attention.exports.export import export
from attention.request import Request
from attention.runs import partial
from attention.verify import checks as verification
from attention.verify.table import Check
from attention.words import PHASE_WORDS

PROMPT = "what color is the star?"


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    Image.effect_noise((200, 136), 80).convert("RGB").save(path)
    return str(path)


@pytest.fixture
def call(capsys):
    """Run a command; return (exit code, stdout, stderr)."""

    def run(*arguments):
        try:
            code = command_line.main([str(argument) for argument in arguments])
        except SystemExit as exit_:  # argparse
            code = exit_.code
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out, said.err

    return run


@pytest.fixture
def extract(call, tiny_folder, picture, tmp_path):
    """Run `extract` with what it needs, less what a test gives itself."""

    def run(*arguments, image=picture, prompt=PROMPT, model=tiny_folder, folder=tmp_path / "run", device="cpu"):
        given = {"--image": image, "--prompt": prompt, "--model": model, "--output-dir": folder, "--device": device}
        flags = [part for flag, value in given.items() if value is not None for part in (flag, value)]
        return call("extract", *flags, *arguments)

    return run


def test_extract_prints_the_folder_and_what_happens_beside_it(extract, tmp_path):
    Image.effect_noise((640, 480), 80).convert("RGB").save(tmp_path / "large.png")
    flags = ("--answer", "red", "--system", "be brief", "--no-vision", "--max-visual-tokens", "100")
    code, out, err = extract(*flags, image=tmp_path / "large.png")
    assert code == 0 and out == f"{tmp_path / 'run'}\n"
    lines = err.splitlines()
    phases = [line for line in lines if line in {word for word, _ in PHASE_WORDS.values()}]
    assert phases == [word for name, (word, _) in PHASE_WORDS.items() if name not in ("answer", "compare", "try")]
    assert "\r" not in err
    assert (
        any("tokens at most" in line and "on disk" in line for line in lines) and "Answer that was given: red" in lines
    )
    assert lines[-1].startswith("To see it: python -m attention view ")
    with open_run(tmp_path / "run") as run:
        assert run.info["forced"] and run.info["mode"] == "generate" and run.towers() == ["language"]
        assert {"system", "prompt", "answer"} <= {token["role"] for token in run.info["tokens"]}
        assert 64 < run.info["grids"][0]["rows"] * run.info["grids"][0]["cols"] <= 100
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["run"]


def test_a_prefill_is_the_default_and_an_answer_is_generated_when_asked(extract, tmp_path):
    code, _, err = extract(folder=tmp_path / "a")
    with open_run(tmp_path / "a") as run:
        assert code == 0 and run.info["mode"] == "prefill" and run.info["answer"] == "" and "Answer" not in err
        assert run.towers() == ["language", "vision"]
    code, _, err = extract("--mode", "generate", "--max-new-tokens", "3", folder=tmp_path / "b")
    with open_run(tmp_path / "b") as run:
        assert code == 0 and 1 <= len(run.info["tokens"]) - run.info["prompt_tokens"] <= 3
        assert "Writing the answer" in err.splitlines()


def test_a_chat_from_a_file_names_its_pictures_beside_it_or_takes_the_next(extract, tmp_path):
    folder = tmp_path / "chat"
    folder.mkdir()
    Image.new("RGB", (96, 64), "red").save(folder / "own.png")
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what is this?"}]},
        {"role": "assistant", "content": "noise"},
        {"role": "user", "content": [{"type": "image", "image": "own.png"}, {"type": "text", "text": "and this?"}]},
    ]
    (folder / "chat.json").write_text(json.dumps(messages))
    code, _, err = extract("--messages", folder / "chat.json", prompt=None)
    assert code == 0, err
    with open_run(tmp_path / "run") as run:
        assert [(image["width"], image["height"]) for image in run.info["images"]] == [(200, 136), (96, 64)]
        assert run.info["prompt"] == "and this?" and run.info["messages"][1]["content"][0] == {"type": "image"}
    code, _, err = extract("--messages", folder / "chat.json", folder=tmp_path / "two")
    assert code == 2 and "--messages is the whole chat: leave out --prompt and --system" in err


def test_a_chats_entry_is_read_as_it_says_beside_another_picture(extract, picture, tmp_path):
    Image.effect_noise((96, 64), 90).save(tmp_path / "own.png")
    entry = {"type": "image", "url": "own.png", "min_pixels": 4096, "max_pixels": 5000}
    chat = [{"role": "user", "content": [entry, {"type": "image"}, {"type": "text", "text": PROMPT}]}]
    (tmp_path / "chat.json").write_text(json.dumps(chat))
    code, _, err = extract("--messages", tmp_path / "chat.json", prompt=None)
    assert code == 0, err
    with open_run(tmp_path / "run") as run:
        first, second = run.info["images"]
        assert (first["width"], first["height"], second["width"]) == (96, 64, 200)
        assert first["read_width"] * first["read_height"] <= 5000 < second["read_width"] * second["read_height"]
        assert run.info["messages"][0]["content"][0] == {"type": "image", "min_pixels": 4096, "max_pixels": 5000}
    code, _, err = extract("--messages", tmp_path / "chat.json", prompt=None, image=None, folder=tmp_path / "two")
    assert code == 2 and "an image entry for which no image was given" in err
    (tmp_path / "chat.json").write_text(json.dumps(chat), encoding="utf-16")
    code, _, err = extract("--messages", tmp_path / "chat.json", prompt=None, folder=tmp_path / "two")
    assert code == 2 and "chat.json is not written in UTF-8" in err


def test_text_alone_is_a_run_too(extract, tmp_path):
    code, _, _ = extract(image=None)
    with open_run(tmp_path / "run") as run:
        assert code == 0 and run.info["images"] == [] and run.towers() == ["language"]


def test_the_flags_are_the_fields_of_a_request_with_its_defaults():
    fields = {field.name: field.default for field in dataclasses.fields(Request)}
    flags = {*plain_flags(), "images", "videos", "prompt", "messages"}
    assert flags == set(fields) - {"adapter", "adapter_scale"}  # one flag: --adapter NAME=SCALE
    options = command_line.build_parser().parse_args(["extract", "--output-dir", "x"])
    for name in plain_flags():
        assert getattr(options, name) == fields[name] and type(getattr(options, name)) is type(fields[name])


def test_a_picture_read_smaller_and_one_that_was_changed_are_mentioned(extract, tmp_path):
    Image.new("RGBA", (700, 500), (255, 0, 0, 90)).save(tmp_path / "clear.png")
    _, _, err = extract("--max-visual-tokens", "64", image=tmp_path / "clear.png")
    fewer = r"Read with 54 of 70 visual tokens; training may have used more. --max-visual-tokens (\d+) reads all of it."
    assert "clear.png is partly transparent; it was laid on white." in err
    (own,) = re.findall(fewer, err)
    assert own == "70" and "700x500, read at " not in err
    more = ("--max-visual-tokens", own, "--json")
    code, out, err = extract(*more, image=tmp_path / "clear.png", folder=tmp_path / "all")
    assert code == 0 and "visual tokens;" not in err and json.loads(out)["cautions"] == []
    with open_run(tmp_path / "all") as run:
        assert run.info["images"][0]["visual_tokens"] == int(own) == run.info["images"][0]["own_visual_tokens"]


def broken(tmp_path, content):
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    return path


BAD = {
    "no file": (2, lambda t: {"image": t / "none.png"}, "There is no file"),
    "not a picture": (2, lambda t: {"image": broken(t, b"hello" * 9)}, "is not a picture this app reads"),
    "0 bytes": (2, lambda t: {"image": broken(t, b"")}, "is empty (0 bytes)"),
    "no prompt": (2, lambda t: {"prompt": None}, "The prompt is empty"),
    "a blank prompt": (2, lambda t: {"prompt": "  "}, "The prompt is empty"),
    "mode": (2, lambda t: ("--mode", "think"), "Mode 'think' is unknown. Use prefill"),
    "answer length": (2, lambda t: ("--max-new-tokens", "-1"), "max_new_tokens is -1; it must be from 1"),
    "no answer": (2, lambda t: ("--answer", ""), "The forced answer is empty"),
    "device": (2, lambda t: {"device": "tpu"}, "Device 'tpu' is unknown"),
    "dtype": (2, lambda t: ("--dtype", "int4"), "dtype 'int4' is unknown"),
    "messages": (2, lambda t: ("--messages", broken(t, b"[")), "leave out --prompt"),
    "model": (1, lambda t: {"model": "no such model"}, "There is no model 'no such model'"),
    "model folder": (1, lambda t: {"model": t}, "is not a model folder: it has no config.json"),
    "model type": (1, lambda t: ("--model-type", "gpt2"), "Model type 'gpt2' is not supported"),
    "output": (2, lambda t: {"folder": broken(t, b"x") / "run"}, "cannot be written"),
    "full output": (2, lambda t: {"folder": t}, "is not empty. A run is a folder of its own"),
}


@pytest.mark.parametrize("code, given, words", BAD.values(), ids=BAD)
def test_bad_input_is_refused_in_a_sentence_and_leaves_no_folder(extract, tmp_path, code, given, words):
    wanted = given(tmp_path)
    said = extract(*wanted) if isinstance(wanted, tuple) else extract(**wanted)
    assert said[0] == code and said[1] == "" and words in said[2]
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_after_a_failure_the_next_run_works(extract, monkeypatch, tmp_path):
    def fail(*_):
        raise CaptureError("Layer 1 would not be exact.")

    with monkeypatch.context() as patched:
        patched.setattr(extraction.Capture, "take", fail)
        code, out, err = extract()
        assert (code, out) == (1, "") and err.endswith("Layer 1 would not be exact.\n")
    assert not (tmp_path / "run").exists() and not (tmp_path / "run.partial").exists()
    assert extract()[0] == 0


def test_a_fault_of_ours_is_one_sentence_unless_the_trace_is_asked_for(extract, monkeypatch):
    monkeypatch.setattr(extraction, "plan_towers", lambda *_: 1 / 0)
    code, _, err = extract()
    assert code == 1 and "Internal error (please report): ZeroDivisionError: division by zero." in err
    monkeypatch.setenv("ATTENTION_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        extract()


@pytest.mark.parametrize(
    "place, error, words",
    [
        (
            (layer_writer, "save_file"),
            SafetensorError("I/O error: (os error 28)"),
            "The disk is full: a file could not",
        ),
        ((layer_writer, "save_file"), OSError(errno.EDQUOT, "", "layer_00.safetensors"), "quota is used up: layer_00"),
        ((partial.os, "fsync"), OSError(errno.ENOSPC, "", "/x/run.json"), "The disk is full: run.json could not be"),
        ((extraction, "plan_towers"), MemoryError(), "This computer ran out of memory. Give a smaller picture"),
        ((extraction, "plan_towers"), PermissionError(errno.EACCES, "", "/x/scores"), "refuses scores: permission"),
    ],
)
def test_what_the_system_refuses_while_a_run_is_made_is_said_and_leaves_nothing(
    extract, monkeypatch, tmp_path, place, error, words
):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(*place, fail)
    code, out, err = extract()
    assert (code, out) == (1, "") and words in err.splitlines()[-1] and "Internal error" not in err
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


@pytest.mark.parametrize("phase", ["queue", "model", "inputs", "answer", "capture", "write"])
def test_ctrl_c_stops_in_any_phase_and_leaves_no_folder(extract, monkeypatch, tmp_path, phase):
    report = progress.ReportedRun.report

    def interrupt(self, now, *args, **kwargs):
        report(self, now, *args, **kwargs)
        if now == phase:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(progress.ReportedRun, "report", interrupt)
        code, out, err = extract("--mode", "generate", "--max-new-tokens", "4")
    assert (code, out) == (130, "") and err.endswith("Stopped. Nothing was kept.\n")
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert extract()[0] == 0


def test_an_interruption_that_a_library_swallows_still_stops_the_job(extract, monkeypatch, tmp_path):
    report = progress.ReportedRun.report

    def interrupt(self, now, *args, **kwargs):
        report(self, now, *args, **kwargs)
        if now == "inputs":
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except KeyboardInterrupt:
                pass

    monkeypatch.setattr(progress.ReportedRun, "report", interrupt)
    assert extract()[0] == 130
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_progress_on_a_terminal_is_one_line_that_is_rewritten(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "30")
    shown = progress.Progress()
    shown.report("capture", 1, 28)
    shown.show("Capturing", "layer 2 of 28" + "." * 50)
    shown.say("done")
    line = "Capturing: layer 2 of 28" + "." * 5
    assert capsys.readouterr().err == f"\r\x1b[KCapturing: layer 1 of 28\r\x1b[K{line}\r\x1b[Kdone\n"


def test_export_writes_each_format_and_prints_its_path(call, tiny_run, tmp_path):
    for wanted in ("dense", "bin", "npz", "csv", "png", "svg", "pdf", "card", "zip"):
        code, out, err = call("export", tiny_run, "--format", wanted, "--output", tmp_path / wanted)
        assert (code, out, err) == (0, f"{tmp_path / wanted}\n", "") and (tmp_path / wanted).exists()
    flags = ("--tower", "vision", "--layer", "1", "--head", "max", "--query", "7")
    assert call("export", tiny_run, "--format", "npz", "--output", tmp_path / "b.npz", *flags)[0] == 0
    with np.load(tmp_path / "b.npz") as data, open_run(tiny_run) as run:
        assert np.array_equal(data["row"], run.reduced_row(1, "max", 7, "vision", "factors"))
        assert data["grid"] == 1  # the first of that tower
    flags = ("--key", "9", "--grid", "0")
    assert call("export", tiny_run, "--format", "npz", "--output", tmp_path / "c.npz", *flags)[0] == 0
    with np.load(tmp_path / "c.npz") as data:
        assert data["key"] == 9 and data["layer"] == "mean"
    flags = ["--query", "9", "--until", "11", "--scale", "2", "--caption", "--low", "0.01", "--high", "0.5", "--smooth"]
    flags += ["--palette=magma", "--curve=sqrt", "--sinks=raw", "--opacity=0.5", "--unit=uniform", "--places"]
    assert call("export", tiny_run, "--format", "png", "--output", tmp_path / "d.png", *flags)[0] == 0
    with Image.open(tmp_path / "d.png") as image:
        about = json.loads(image.text["attention"])
        assert image.width == 600 and image.height > 400 and about["range"] == [0.01, 0.5] and about["until"] == 11
    flags = ("--layer", "1", "--head", "1", "--clip", "99")
    assert call("export", tiny_run, "--format", "card", "--output", tmp_path / "e.png", *flags)[0] == 0
    with open_run(tiny_run) as run:
        card = export(run, "card", tmp_path / "f.png", layer=1, head=1, look={"clip": 99})
    assert (tmp_path / "e.png").read_bytes() == card.read_bytes()
    said = {"palette": "magma", "opacity": 0.5, "unit": "uniform", "curve": "sqrt", "sinks": "raw", "smooth": True}
    assert about | said == about


NOT_EXPORTED = {
    "format": (2, ("--format", "docx"), "There is no format 'docx'"),
    "layer": (2, ("--format", "dense", "--layer", "99"), "Layer 99 has no attention"),
    "negative layer": (2, ("--format", "dense", "--layer=-1"), "Layer -1 has no attention"),
    "head": (2, ("--format", "png", "--head", "first"), "no head 'first'"),
    "query and key": (2, ("--format", "npz", "--query", "1", "--key", "2"), "not allowed with argument --query"),
    "look of npz": (2, ("--format", "npz", "--palette", "magma"), "Format npz holds numbers and draws nothing"),
    "palette": (2, ("--format", "svg", "--palette", "jet"), "palette is 'jet'; it must be one of cividis"),
    "flag": (2, ("--format", "npz", "--colour", "red"), "unrecognized arguments: --colour red"),
}


@pytest.mark.parametrize("code, flags, words", NOT_EXPORTED.values(), ids=NOT_EXPORTED)
def test_what_cannot_be_exported_is_refused(call, tiny_run, tmp_path, code, flags, words):
    said = call("export", tiny_run, "--output", tmp_path / "out", *flags)
    assert said[0] == code and said[1] == "" and words in said[2] and not list(tmp_path.iterdir())


def test_export_of_what_is_no_run_says_so(call, tmp_path):
    code, _, err = call("export", tmp_path / "none", "--format", "npz", "--output", tmp_path / "out")
    assert code == 1 and "is not a finished run: it has no run.json" in err


def test_models_are_listed_with_the_default(call):
    code, out, _ = call("models")
    lines = out.splitlines()
    assert code == 0 and {line.split()[0] for line in lines} >= {"pocket", "Qwen/Qwen3-VL-2B-Instruct"}
    assert [line.endswith("(default)") for line in lines].count(True) == 1


def test_all_model_types_are_listed_with_the_family_or_the_reason(call):
    code, out, err = call("models", "--all")
    said = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert (
        code == 0 and said["qwen3_vl"] == "Qwen3-VL" and said["gemma3n"].startswith("refused: its vision tower needs")
    )
    supported = sum(not words.startswith("refused: ") for words in said.values())
    assert re.match(rf"{supported} of the {len(said)} types of transformers \d", err)


@pytest.mark.parametrize("passed, code, last", [(True, 0, "All 1 checks passed."), (False, 1, "1 of 1 checks failed.")])
def test_verify_prints_a_table_and_fails_when_a_check_does(call, monkeypatch, passed, code, last):
    checks = [
        Check("model", None, "a model of this kind"),
        Check("rows sum to one", passed, "2.0e-01", "1.0e-05", "layer 3"),
        Check("to know", None, "0.3"),
    ]
    monkeypatch.setattr(verification, "verify", lambda *_, **__: checks)
    said = call("verify", "--model", "pocket")
    heading, first, second, third, end = said[1].splitlines()
    assert (said[0], end, heading) == (code, last, "a model of this kind")
    assert first.split() == ["check", "measured", "allowed"]
    assert second.split("  ")[0] == ("PASS" if passed else "FAIL") and "layer 3" in second and third.startswith("-  ")


def test_verify_refuses_a_broken_picture_before_it_loads_anything(call, tmp_path):
    code, _, err = call("verify", "--model", "no/such-model", "--image", broken(tmp_path, b""))
    assert code == 2 and "is empty (0 bytes)" in err


def test_the_command_is_there_and_help_and_export_bring_in_no_heavy_library(tiny_run, tmp_path):
    code = (
        "import runpy, sys\n"
        "try: runpy.run_module('attention', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as e: print(e.code, [m for m in ('torch', 'transformers', 'gradio') if m in sys.modules])"
    )
    for arguments in (["--help"], ["export", tiny_run, "--format", "npz", "--output", tmp_path / "a.npz"]):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
        assert done.stdout.splitlines()[-1] == "0 []", done.stderr


def test_a_reader_that_goes_away_is_no_fault(tiny_run, tmp_path):
    arguments = ["export", tiny_run, "--format", "npz", "--output", tmp_path / "a"]
    command = [sys.executable, "-m", "attention", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""


# The page


def test_view_starts_the_app_with_a_folder(call, tiny_run, monkeypatch, tmp_path):
    started = []
    monkeypatch.setattr(view.os, "execv", lambda program, command: started.append(command) or sys.exit(0))
    assert call("view", tiny_run, "--port", "7999")[0] == 0
    assert started[0][1:] == [str(view.APP), "--port", "7999", "--", str(tiny_run)]
    code, _, said = call("view", tmp_path / "nothing")
    assert code == 2 and "no folder" in said and len(started) == 1


def test_extract_ends_with_the_line_that_shows_it(extract, tmp_path):
    code, out, said = extract(folder=tmp_path / "a run")
    assert code == 0 and out.strip() == str(tmp_path / "a run")
    assert said.endswith(f"python -m attention view '{tmp_path / 'a run'}'\n")


# An answer from a file


@pytest.mark.parametrize(
    "content",
    ['a "red" star\n', '\ufeffa "red" star\r\n', '{"choices": [{"message": {"content": "a \\"red\\" star"}}]}'],
)
def test_an_answer_is_read_from_a_file(extract, tmp_path, content):
    file = tmp_path / "answer.txt"
    file.write_bytes(content.encode())
    code, _, said = extract("--answer-file", file)
    assert code == 0, said
    with open_run(tmp_path / "run") as run:
        assert run.info["answer"] == 'a "red" star' and run.info["forced"] and run.info["mode"] == "generate"
    assert 'Answer that was given: a "red" star' in said


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [
        (b"red", ("--answer", "blue"), "--answer and --answer-file are both an answer"),
        (b"\xff\xfe", (), "answer.txt is not written in UTF-8"),
        (b"\n", (), "answer.txt is empty"),
        (b'{"choices": []}', (), "answer.txt is a completion with 0 choices"),
        (None, (), "answer.txt cannot be read: No such file"),
        (b" " * ((16 << 20) + 1), (), "bytes; an answer's file may have 16,777,216."),
    ],
)
def test_a_file_without_an_answer_is_refused_in_words(extract, tmp_path, content, arguments, words):
    file = tmp_path / "answer.txt"
    if content is not None:
        file.write_bytes(content)
    code, out, said = extract("--answer-file", file, *arguments)
    assert code == 2 and words in said and not out
    assert not (tmp_path / "run").exists()


def test_a_long_answer_of_a_file_is_read_whole_or_refused_with_numbers(extract, tmp_path):
    file = tmp_path / "answer.txt"
    file.write_text("ab" * 60_000)
    code, _, said = extract("--answer-file", file)
    assert code == 2 and "the limit is 100,000" in said


# Places of the answer


def region(call, *arguments):
    code, out, err = call("region", *arguments, "--json")
    return json.loads(out)["members"][0]["region"] if code == 0 else out + err


def test_a_region_is_the_answers_place_as_its_numbers_are_read(extract, call, tmp_path):
    assert extract("--answer", "click(100, 50)", "--coordinates", "read")[0] == 0
    folder = tmp_path / "run"
    with open_run(folder) as run:
        image = run.info["images"][0]
    read = [100 / image["read_width"] * 200, 50 / image["read_height"] * 136]
    assert region(call, folder, "--answer") == pytest.approx(read)
    assert region(call, folder, "--answer", "--coordinates", "0-1000") == pytest.approx([20, 6.8])
    assert region(call, folder, "--answer", "--coordinates", "original") == [100, 50]
    outside = region(call, folder, "--answer", "--coordinates", "0-1")
    assert "lies outside the picture as shares of the sides, and is left out: (100, 50)." in outside
    assert "give --answer with it" in region(call, folder, "--point", "3", "4", "--coordinates", "0-1")


def test_another_space_is_refused_before_a_model_is_loaded(extract, tmp_path):
    code, out, said = extract("--answer", "click(100, 50)", "--coordinates", "pixels")
    assert code == 2 and not out and "coordinates is 'pixels'; it must be one of auto, 0-1, 0-1000, read" in said
    assert not (tmp_path / "run").exists()
