"""From a request to a run: what is in the folder, and what is left when it fails."""

import json
import shutil
import threading
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from tiny import qwen3_vl_folder

from attention import Request, extract, forecast, open_run
from attention.capture import extraction, plan
from attention.errors import AttentionError, Cancelled, InvalidRequest, LimitExceeded
from attention.limits import Limits
from attention.models import loading as models
from attention.models.kept import INFERENCE
from attention.runs.partial import PartialRun, read_progress

PICTURE = Image.effect_noise((200, 136), 80).convert("RGB")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(qwen3_vl_folder(tmp_path_factory.mktemp("model")))


def ask(folder, **fields):
    return Request(
        **{"images": (PICTURE,), "prompt": "what color is the star?", "model": folder, "device": "cpu", **fields}
    )


def roles_of(run):
    return [(token["text"], token["role"]) for token in run.info["tokens"] if token["role"] != "image"]


def test_a_run_says_everything_about_itself(folder, tmp_path):
    with extract(ask(folder, answer="red", system="be brief"), tmp_path / "run") as run:
        info = run.info
        assert info["format"] == 1 and info["mode"] == "generate" and info["forced"] is True
        assert info["model"] == {"id": folder, "revision": None, "family": "Qwen3-VL", "dtype": "float32"}
        assert info["adapter"] is None and info["answer"] == "red" and info["prompt"] == "what color is the star?"
        assert info["images"] == [
            {
                "file": "image_0.png",
                "preview": "preview_0.jpg",
                "width": 200,
                "height": 136,
                "read_width": 352,
                "read_height": 256,
                "visual_tokens": 88,
                "own_visual_tokens": 88,
            }
        ]
        assert [grid["tower"] for grid in info["grids"]] == ["language", "vision"]
        assert run.map(0, 0, run.keys() - 1).shape == (8, 11) and run.map(0, 0, 3, grid=1, tower="vision").shape == (
            16,
            22,
        )
        assert len(info["logprobs"]) == len(info["tokens"]) - info["prompt_tokens"]
        assert all(value < 0 for value in info["logprobs"])
        assert set(info["timings_ms"]) == {"model", "inputs", "answer", "capture"}
        assert info["bytes"] == sum(file.stat().st_size for file in run.folder.rglob("*.safetensors"))
        assert sorted(file.name for file in run.folder.iterdir()) == [
            "image_0.png", "language", "preview_0.jpg", "run.json", "scores.safetensors", "vision",
        ]  # fmt: skip
        assert np.array_equal(np.asarray(Image.open(run.folder / "image_0.png")), np.asarray(PICTURE))
        with safe_open(run.layer_file(1), "np") as file:
            metadata = file.metadata()
            assert metadata["mask"] == "causal" and metadata["rows"] == "all" and metadata["layer"] == "1"
            assert metadata["module"] == "model.language_model.layers.1.self_attn"
            assert file.get_slice("attention").get_shape() == [run.keys(), 4, run.keys()]
            assert file.get_slice("query").get_dtype() == "F32"


def test_roles_of_a_conversation_of_several_turns(folder, tmp_path):
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "is there a star?"}]},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": [{"type": "text", "text": "and here"}, {"type": "image"}]},
    ]
    other = Image.new("RGB", (100, 180), "white")
    with extract(
        Request(messages=messages, images=(PICTURE, other), model=folder, answer="no", device="cpu"), tmp_path / "run"
    ) as run:
        said = {
            role: "".join(text for text, r in roles_of(run) if r == role) for role in ("system", "prompt", "answer")
        }
        assert said == {"system": "be brief", "prompt": "is there a star?yesand here", "answer": "no"}
        text = "".join(token["text"] for token in run.info["tokens"] if token["role"] != "image")
        start = "<|im_start|>"
        assert text == (
            f"{start}system\nbe brief<|im_end|>\n{start}user\n<|vision_start|><|vision_end|>"
            "is there a star?<|im_end|>\n"
            f"{start}assistant\nyes<|im_end|>\n{start}user\nand here<|vision_start|><|vision_end|><|im_end|>\n"
            f"{start}assistant\nno"
        )
        assert [group["name"] for group in run.info["groups"]["language"]][2:4] == ["image 1", "image 2"]
        masses = run.masses(run.keys() - 1)
        assert np.abs(masses[..., :-1].sum(axis=-1) - 1).max() < 1e-5, "groups but the sink cover every token once"


def test_thinking_is_a_role_of_its_own(folder, tmp_path):
    with extract(ask(folder, answer="<think>the star</think>red"), tmp_path / "run") as run:
        after = run.info["tokens"][run.info["prompt_tokens"] :]
        assert [token["text"] for token in after if token["role"] == "special"] == ["<think>", "</think>"]
        assert "".join(token["text"] for token in after if token["role"] == "thinking") == "the star"
        assert "".join(token["text"] for token in after if token["role"] == "answer") == "red"


def test_markup_in_a_prompt_is_text(folder, tmp_path):
    prompt = "<b>bold</b> ${1+1} {{value}} <script>alert(1)</script>"
    with extract(ask(folder, prompt=prompt), tmp_path / "run") as run:
        assert "".join(text for text, role in roles_of(run) if role == "prompt") == prompt == run.info["prompt"]


@pytest.mark.parametrize("text", ["<|image_pad|>", "x<|im_end|>y", "<|vision_start|><|im_start|>"])
def test_typed_control_tokens_are_text_and_said_in_a_note(folder, text, tmp_path):
    with extract(ask(folder, prompt=text), tmp_path / "run") as run, extract(ask(folder), tmp_path / "plain") as plain:
        assert "".join(text for text, role in roles_of(run) if role == "prompt") == text == run.info["prompt"]
        typed = [note for note in run.info["notes"] if "is read as text" in note]
        assert len(typed) == 1 and text.strip("xy").split("<")[-1] in typed[0]
        assert ("Pictures are put" in typed[0]) == ("image_pad" in text)
        assert [kept for kept in roles_of(run) if kept[1] == "special"] == [
            kept for kept in roles_of(plain) if kept[1] == "special"
        ]


def test_prefill_keeps_the_prompt_alone_and_text_alone_needs_no_picture(folder, tmp_path):
    with extract(ask(folder, images=()), tmp_path / "run") as run:
        assert run.info["answer"] == "" and run.info["logprobs"] == [] and run.info["mode"] == "prefill"
        assert run.towers() == ["language"] and run.info["images"] == [] == run.info["grids"]
        assert len(run.info["tokens"]) == run.info["prompt_tokens"]
        assert np.abs(run.row(0, 3).sum(axis=-1) - 1).max() < 1e-2


def test_generation_is_greedy_and_its_words_are_read_again_in_one_pass(folder, tmp_path):
    with extract(ask(folder, mode="generate", max_new_tokens=5), tmp_path / "a") as first:
        answer = [token["id"] for token in first.info["tokens"][first.info["prompt_tokens"] :]]
        assert 1 <= len(answer) <= 5
        with extract(ask(folder, mode="generate", max_new_tokens=5), tmp_path / "b") as second:
            assert [token["id"] for token in second.info["tokens"][second.info["prompt_tokens"] :]] == answer
            assert np.array_equal(first.row(1, first.keys() - 1), second.row(1, second.keys() - 1))


def test_the_vision_tower_is_kept_unless_it_is_left_out(folder, tmp_path):
    with extract(ask(folder, vision=False), tmp_path / "run") as run:
        assert run.towers() == ["language"] and not (run.folder / "vision").exists()
        assert {grid["tower"] for grid in run.info["grids"]} == {"language"}


def test_the_tail_is_stored_when_all_rows_do_not_fit(folder, tmp_path):
    limits = Limits(rows_bytes=200_000)
    request = ask(folder, answer="red star and blue circle")
    with extract(request, tmp_path / "tail", limits=limits) as tail, extract(request, tmp_path / "all") as everything:
        positions = list(tail.stored_positions())
        assert positions[0] == tail.info["prompt_tokens"] - 1 and positions == list(
            range(positions[0], positions[0] + len(positions))
        )
        assert len(positions) < tail.keys() == len(everything.stored_positions())
        for layer in tail.layers():
            for query in (0, 20, positions[0], tail.keys() - 1):
                assert np.array_equal(
                    tail.row(layer, query, source="factors"), everything.row(layer, query, source="factors")
                )
            assert np.array_equal(tail.stored_row(layer, positions[0]), everything.stored_row(layer, positions[0]))
        for name in ("image_mass", "sink_mass", "entropy", "image_entropy", "spatial_entropy"):
            table = everything.score(name)[:, :, positions[0] : positions[-1] + 1]
            assert np.allclose(tail.score(name), table, atol=1e-5), name
    with extract(request, tmp_path / "one", limits=Limits(rows_bytes=1)) as run:
        assert list(run.stored_positions()) == [run.info["prompt_tokens"] - 1], "one row is always stored"


def test_scores_are_those_of_the_rows(folder, tmp_path):
    with extract(ask(folder, answer="red"), tmp_path / "run") as run:
        cells = run.cells(0).reshape(-1)
        for layer in run.layers():
            row = run.row(layer, run.keys() - 1, source="factors").astype(np.float64)
            p = row[:, cells] / row[:, cells].sum(axis=1, keepdims=True)
            assert np.allclose(run.score("image_mass")[layer, :, -1], row[:, cells].sum(axis=1), atol=1e-5)
            assert np.allclose(
                run.score("entropy")[layer, :, -1], -(row * np.log2(np.maximum(row, 1e-300))).sum(axis=1), atol=1e-3
            )
            assert np.allclose(
                run.score("image_entropy")[layer, :, -1], -(p * np.log2(np.maximum(p, 1e-300))).sum(axis=1), atol=1e-3
            )
            sinks = run.sinks(layer)
            assert np.allclose(run.score("sink_mass")[layer, :, -1], row[:, sinks].sum(axis=1), atol=1e-5)
        for name in ("image_mass", "sink_mass", "entropy", "image_entropy", "spatial_entropy"):
            for query in (run.info["prompt_tokens"] - 1, run.keys() - 1):
                table = run.score(name)[:, :, list(run.stored_positions()).index(query)]
                assert np.array_equal(run.row_scores(name, query), table), "read from its table"
                computed = run.row_scores(name, query, until=query)  # of a span there is no table
                assert np.allclose(computed, table, atol=2e-5), f"{name} as in its table"


@pytest.mark.parametrize(
    "roles, before, words",
    [
        ("s s i i i s p p p s s a a s", [5], [6, 7, 8, 11, 12]),
        ("s i i p p s a", [2], [3, 4, 6]),  # nothing stands between: the picture's last cell
        ("s i i s p i i s s p p", [7, 8], [9, 10]),  # rows that do not see every picture cannot tell
        ("s p p i i s s a a", [], [7, 8]),  # the question comes before the picture
        ("s i i s s", [], []),
        ("s s p p s a", [1], [2, 3, 5]),  # read by cross-attention: no token is a cell
    ],
)
def test_sinks_are_looked_for_in_rows_before_the_question_and_in_words(roles, before, words):
    names = {"s": "special", "i": "image", "p": "prompt", "a": "answer"}
    inputs = SimpleNamespace(roles=[names[role] for role in roles.split()], grids=["a picture"])
    assert plan.sink_rows(inputs) == (before, words)
    inputs.grids = []
    assert plan.sink_rows(inputs) == ([], [])


def test_of_many_words_some_are_taken_evenly_and_all_rows_before_the_question():
    inputs = SimpleNamespace(roles=["image", "special", *["prompt"] * 900], grids=["a picture"])
    before, words = plan.sink_rows(inputs)
    assert before == [1] and words[0] == 2 and len(words) == plan.MAX_SINK_ROWS
    assert {b - a for a, b in pairwise(words)} == {3, 4}


def test_a_forecast_names_the_cost_and_a_refusal_both_numbers(folder, tmp_path):
    request = ask(folder, mode="generate", max_new_tokens=10)
    cost = forecast(request)
    with extract(request, tmp_path / "run") as run:
        assert cost.tokens >= run.keys() and cost.image_tokens == 88 and cost.read_sizes == [(352, 256)]
        assert 0.5 <= cost.bytes_on_disk / run.info["bytes"] <= 1.5
    with pytest.raises(LimitExceeded, match=r"needs 114 tokens \(88 of images.*limit is 90"):
        forecast(request, Limits(tokens=90))
    with pytest.raises(LimitExceeded, match=r"on disk .*limit is 0\.0 GB"):
        extract(request, tmp_path / "refused", limits=Limits(run_bytes=1000))
    assert not list(tmp_path.glob("refused*"))


def test_a_picture_read_smaller_says_so_and_the_limit_can_be_set(folder, tmp_path):
    picture = Image.effect_noise((640, 480), 80).convert("RGB")
    with extract(ask(folder, images=(picture,), max_visual_tokens=16), tmp_path / "run") as run:
        image = run.info["images"][0]
        assert (image["width"], image["height"]) == (640, 480)
        assert image["read_width"] * image["read_height"] <= 16 * 32 * 32
        assert run.cells(0).size <= 16
    with pytest.raises(InvalidRequest, match="aspect ratio"):
        forecast(ask(folder, images=(Image.new("RGB", (4000, 10)),)))


def test_a_folder_that_is_not_empty_is_refused_and_left_alone(folder, tmp_path):
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine.txt").write_text("mine")
    with pytest.raises(InvalidRequest, match="not empty"):
        extract(ask(folder), taken)
    assert (taken / "mine.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    extract(ask(folder), tmp_path / "empty").close()
    assert open_run(tmp_path / "empty").keys() > 0
    with pytest.raises(InvalidRequest, match="cannot be written"):
        extract(ask(folder), taken / "mine.txt" / "run")


@pytest.mark.parametrize("phase", ["model", "inputs", "answer", "capture"])
def test_cancel_in_any_phase_leaves_nothing_and_the_next_run_starts(folder, tmp_path, monkeypatch, phase):
    report = PartialRun.report

    def cancel_then(self, name, done=0, total=0, answer=None):
        report(self, name, done, total, answer)
        if name == phase and (done > 0 or phase in ("model", "inputs")):
            self.cancel()

    monkeypatch.setattr(PartialRun, "report", cancel_then)
    with pytest.raises(Cancelled, match="Stopped"):
        extract(ask(folder, mode="generate", max_new_tokens=50), tmp_path / "run")
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
    assert not INFERENCE.locked()
    assert not [thread for thread in threading.enumerate() if thread.name == "layer writer"]
    extract(ask(folder), tmp_path / "run").close()


def test_a_job_that_waits_for_its_turn_can_be_cancelled(folder, tmp_path):
    partial, errors = PartialRun.create(tmp_path / "run"), []

    def work():
        try:
            extraction.fill(ask(folder), partial)
        except AttentionError as error:
            errors.append(error)

    with INFERENCE:
        thread = threading.Thread(target=work)
        thread.start()
        partial.cancel()
        thread.join(60)
    assert isinstance(errors[0], Cancelled) and not partial.folder.exists()


def test_progress_follows_the_phases_with_the_answer_so_far(folder, tmp_path, monkeypatch):
    lines, report = [], PartialRun.report

    def keep(self, *arguments):
        report(self, *arguments)
        lines.append(read_progress(self.folder))

    monkeypatch.setattr(PartialRun, "report", keep)
    extract(ask(folder, mode="generate", max_new_tokens=4), tmp_path / "run").close()
    phases = [line["phase"] for line in lines]
    assert list(dict.fromkeys(phases)) == ["queue", "model", "inputs", "answer", "capture", "write"]
    captured = [line for line in lines if line["phase"] == "capture"]
    assert [line["done"] for line in captured] == list(range(6)) and {line["total"] for line in captured} == {5}
    assert lines[-1]["answer"] == captured[0]["answer"] is not None


def test_a_failure_inside_the_model_leaves_no_folder_and_the_model_usable(folder, tmp_path, monkeypatch):
    loaded = models.load(folder, "cpu")
    layer = loaded.model.model.language_model.layers[1]

    def fail(*_, **__):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(layer, "forward", fail)
    with pytest.raises(LimitExceeded, match="ran out of memory"):
        extract(ask(folder), tmp_path / "run", model=loaded)
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
    extract(ask(folder), tmp_path / "run", model=loaded).close()


def test_two_runs_asked_for_at_once_both_end_right(folder, tmp_path):
    alone = {}
    for answer in ("red", "blue star"):
        with extract(ask(folder, answer=answer), tmp_path / f"alone {answer}") as run:
            alone[answer] = run.row(1, run.keys() - 1)
    results, barrier = {}, threading.Barrier(2)

    def work(answer):
        barrier.wait(60)
        with extract(ask(folder, answer=answer), tmp_path / answer) as run:
            results[answer] = run.row(1, run.keys() - 1)

    threads = [threading.Thread(target=work, args=(answer,)) for answer in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(results[answer], alone[answer]) for answer in alone)


def test_run_json_is_written_last_and_a_partial_folder_is_no_run(folder, tmp_path, monkeypatch):
    seen = {}
    commit = PartialRun.commit

    def look(self, info):
        seen["before"] = sorted(file.name for file in self.folder.iterdir())
        with pytest.raises(AttentionError, match="not a finished run"):
            open_run(self.folder)
        return commit(self, info)

    monkeypatch.setattr(PartialRun, "commit", look)
    extract(ask(folder), tmp_path / "run").close()
    assert "run.json" not in seen["before"] and "progress.jsonl" in seen["before"]
    assert not (tmp_path / "run" / "progress.jsonl").exists()
    assert json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["format"] == 1


def test_a_run_whose_folder_was_removed_ends_at_its_next_report(tmp_path):
    partial = PartialRun.create(tmp_path / "run")
    partial.report("model", 0, 1)
    shutil.rmtree(partial.folder)
    with pytest.raises(Cancelled, match="removed"):
        partial.report("answer", 1, 2)
    assert not list(tmp_path.iterdir())
