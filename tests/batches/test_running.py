"""A batch run: what each item comes to, what is never done twice or lost, and what is proved of answers."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file
from shared import once

from adapters import choose, members_of
from adapters.choosing import choose_members
from attention import Request, extract, open_batch, open_run, run_batch, score_items
from attention.batches import worker
from attention.batches.as_scores import scores_of, write_scores_of
from attention.batches.folder import ShardFiles
from attention.batches.local import run_here
from attention.batches.merging import merge_batches
from attention.batches.worker import Worker
from attention.environment import EXAMPLES
from attention.errors import CaptureError, InvalidRequest, ModelUnavailable
from attention.visitors.library import Library

REQUEST = Request(model="pocket", device="cpu")
ANSWERS = replace(REQUEST, mode="generate", max_new_tokens=24)
FILES = ("items.jsonl", "scores.f32", "summary.npz", "batch.json")


def lines(n=4):
    found = [json.loads(line) for line in (EXAMPLES / "set.jsonl").read_text(encoding="utf-8").splitlines()]
    return [found[number] | {"image": str(EXAMPLES / found[number]["image"])} for number in (0, 1, 2, 6)][:n]


def content(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.fixture(scope="module")
def few():
    """A set of four questions, three of whose pictures differ."""
    text = "\n".join(map(json.dumps, lines()))
    return once("few questions", lambda folder: (folder.mkdir(), (folder / "set.jsonl").write_text(text))) / "set.jsonl"


@pytest.fixture(scope="module")
def answered(few):
    """The same with answers that were written three at a time. Not to be changed."""
    return once("batch", lambda folder: run_batch(few, folder, ANSWERS, batch=3))


@pytest.fixture
def copied(answered, tmp_path):
    return shutil.copytree(answered, tmp_path / "copy")


def test_numbers_are_those_that_score_gives_and_no_run_stays(few, answered, tmp_path):
    scored = score_items(few, tmp_path / "scores", ANSWERS)
    batch = open_batch(answered)
    assert [row["answer"] for row in batch.rows()] == [row["answer"] for row in scored.rows()]
    for scores in (scores_of(answered), write_scores_of(answered, tmp_path / "of batch")):
        assert scores.info["models"] == scored.info["models"] and not scores.info["bad"]
        for name in ("region_share", "region_touch", "region_rank"):
            assert np.array_equal(scores.table(name), scored.table(name), equal_nan=True)
    assert sorted(path.name for path in answered.iterdir() if path.name[0] != ".") == sorted(FILES)
    assert sum(path.stat().st_size for path in answered.iterdir()) < 4 * 10_000


def test_a_kept_run_is_bit_for_bit_that_of_a_single_call_and_the_library_has_it_as_it_comes(tmp_path):
    seen, shelf = [], Library([tmp_path])
    found, _ = run_batch(
        lines(2), tmp_path / "all", ANSWERS, keep="all", batch=2,
        watch=lambda what, counts, total: seen.append((shelf.look(), len(shelf.lines()), counts.made)[1:]),
    )  # fmt: skip
    assert seen[-1] == (2, 2) and all(listed >= made for listed, made in seen)
    for row, line in zip(found.rows(), lines(2), strict=True):
        assert row["kept"] == f"runs/{row['id']}"
        run = open_run(found.folder / row["kept"])
        single = extract(replace(ANSWERS, images=(line["image"],), prompt=line["prompt"]), tmp_path / row["id"])
        assert run.info["id"] == row["id"] and run.info["logprobs"] == single.info["logprobs"] == row["logprobs"]
        assert row["logprob"] == pytest.approx(sum(row["logprobs"]))
        files = sorted(path.relative_to(single.folder) for path in single.folder.rglob("*.safetensors"))
        assert len(files) > 9
        for name in files:
            mine, other = load_file(run.folder / name), load_file(single.folder / name)
            assert mine.keys() == other.keys() and all(mine[key].tobytes() == other[key].tobytes() for key in mine)
        query = run.info["prompt_tokens"] - 1
        assert np.array_equal(found.tables_of(row)["entropy"], single.row_scores("entropy", query, until=query))


def test_rows_of_attention_are_kept_alone(tmp_path):
    found, _ = run_batch(lines(1), tmp_path / "rows", ANSWERS, keep="rows", rows="answer")
    (row,) = found.rows()
    single = extract(replace(ANSWERS, images=(lines(1)[0]["image"],), prompt=row["prompt"]))
    with safe_open(found.folder / row["kept"], "np") as file:
        attention, positions = file.get_tensor("base.attention"), file.get_tensor("base.positions")
        assert len(json.loads(file.metadata()["base"])["tokens"]) == row["tokens"] == attention.shape[3]
    assert positions.tolist() == list(range(row["row"], row["until"] + 1)) == [92, 93]
    for number, query in enumerate(positions.tolist()):
        assert np.abs(attention[number] - single.exact_rows(query)).max() < 2.0**-11
    assert not (found.folder / "runs").exists()


def test_a_comparison_of_adapters_and_models_each_with_its_own_answer(tmp_path):
    from attention.comparisons.comparison import open_comparison

    members = members_of([*choose(["largest"], "pocket"), *choose_members(["pocket=bfloat16"], "pocket")], REQUEST)
    found, counts = run_batch(lines(2), tmp_path / "all", ANSWERS, members, keep="all", batch=2)
    assert found.members == ["base", "adapter_1", "model_2"] and counts.made == 4
    row = found.rows("adapter_1")[0]
    with open_comparison(found.folder / row["kept"]) as comparison:
        assert comparison.info["id"] == row["id"] and comparison.info["words"] == "own"
        moved = comparison.change("js_image", 0, row["row"])
        assert np.allclose(found.tables_of(row)["js_image"], moved, rtol=1e-5) and moved.max() > 0.01
    assert found.rows("model_2")[0]["dtype"] == "bfloat16"
    assert {each.name for each in found.folder.glob("summary*")} == {
        "summary.npz", "summary.adapter_1.npz", "summary.model_2.npz",
    }  # fmt: skip
    numbers, _ = run_batch(lines(1), tmp_path / "scores", ANSWERS, members[:1])
    assert numbers.rows("adapter_1")[0]["answer"] == row["answer"]
    assert np.array_equal(numbers.numbers_of(numbers.rows()[0]), found.numbers_of(row), equal_nan=True)
    again = run_batch(lines(2), tmp_path / "all", ANSWERS, members, keep="all", batch=2)[1]
    assert (again.made, again.known) == (0, 4)


def never(*_):
    raise AssertionError("nothing is left to do")


@pytest.mark.sample(1)
@pytest.mark.parametrize("end", ["a row", "numbers", "half a row"])
def test_what_a_killed_process_left_goes_on_to_the_same_bytes(few, answered, copied, end):
    whole = content(answered)
    rows = whole["items.jsonl"].splitlines(keepends=True)
    kept = b"".join(rows[:3]) + (rows[3][: len(rows[3]) // 2] if end == "half a row" else b"")
    numbers = json.loads(rows[3])["numbers"]
    size = {"a row": numbers["at"], "numbers": numbers["at"] + 101, "half a row": numbers["at"] + numbers["bytes"]}
    (copied / "items.jsonl").write_bytes(kept)
    os.truncate(copied / "scores.f32", size[end])
    (copied / "summary.npz").unlink()
    made = []

    def engine(plan, items, done, stop, tell):
        run_here(plan, items, lambda outcome: (made.append(outcome.item.number), done(outcome)), stop, tell)

    # other questions come together than before: answers are proved alone
    run_batch(few, copied, ANSWERS, batch=3, engine=engine)
    assert made == [3] and content(copied) == whole
    run_batch(few, copied, ANSWERS, engine=lambda plan, items, *_: [never() for _ in items])


@pytest.mark.full
def test_ctrl_c_keeps_what_is_made(tmp_path, few, answered):
    def interrupted(what, counts, total):
        if counts.made == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch(few, tmp_path / "b", ANSWERS, watch=interrupted)
    assert len(open_batch(tmp_path / "b")) >= 2 and not (tmp_path / "b" / "summary.npz").exists()
    run_batch(few, tmp_path / "b", ANSWERS)
    assert content(tmp_path / "b") == content(answered)


@pytest.mark.full
@pytest.mark.parametrize("readings", [(), ("forecast", "lens")])
def test_a_process_that_is_killed_again_and_again_ends_with_the_same_bytes(tmp_path, few, answered, readings):
    whole = run_batch(few, tmp_path / "whole", ANSWERS, readings=readings)[0].folder if readings else answered
    command = [
        sys.executable, "-m", "attention", "batch", "--jsonl", str(few), "--model", "pocket", "--device", "cpu",
        "--mode", "generate", "--max-new-tokens", "24", "--batch", "2", "--output-dir", str(tmp_path / "b"), "--quiet",
        *(["--readings", *readings] if readings else []),
    ]  # fmt: skip
    killed = 0
    for wanted in (1, 1, 2, 3):
        process = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL)
        items = tmp_path / "b" / "items.jsonl"
        while process.poll() is None:
            if items.exists() and items.read_bytes().count(b"\n") >= wanted:
                process.send_signal(signal.SIGKILL)
                killed += 1
                break
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.001)
        process.wait()
    assert killed >= 2 and subprocess.run(command, cwd=Path(__file__).parents[2], check=False).returncode == 0
    assert content(tmp_path / "b") == content(whole)


def test_shards_in_one_folder_or_in_several_are_the_whole(tmp_path, few, answered):
    whole = open_batch(answered)
    for which in (2, 1):
        run_batch(few, tmp_path / "one", ANSWERS, shard=(which, 2))
        run_batch(few, tmp_path / f"part {which}", ANSWERS, shard=(which, 2))
    assert not run_batch(few, tmp_path / "one", ANSWERS)[1].made
    merged = merge_batches([tmp_path / "part 2", tmp_path / "part 1"], tmp_path / "merged")
    for found in (open_batch(tmp_path / "one"), merged):
        assert (found.folder / "summary.npz").read_bytes() == (answered / "summary.npz").read_bytes()
        for row, same in zip(found.rows(), whole.rows(), strict=True):
            assert row | {"numbers": None} == same | {"numbers": None}
            assert np.array_equal(found.numbers_of(row), whole.numbers_of(same), equal_nan=True)
    with pytest.raises(InvalidRequest, match="shard is 3/2"):
        run_batch(few, tmp_path / "one", ANSWERS, shard=(3, 2))


def test_a_bad_line_is_a_row_with_its_reason_and_is_tried_again(tmp_path):
    given = [*lines(2), {"image": str(tmp_path / "late.png"), "prompt": "what?"}, {"prompt": "?"}]
    found, counts = run_batch(given, tmp_path / "b", REQUEST)
    assert (counts.made, counts.failed) == (2, 2)
    assert [(row["number"], row["name"]) for row in found.errors()] == [(2, "item 3"), (3, "item 4")]
    assert "no file" in found.errors()[0]["reason"] and "no image" in found.errors()[1]["reason"]
    shutil.copy(EXAMPLES / "shapes.png", tmp_path / "late.png")
    found, counts = run_batch(given, tmp_path / "b", REQUEST)
    assert (counts.made, counts.known, counts.failed, len(found)) == (1, 2, 1, 3)
    assert [row["name"] for row in found.errors()] == ["item 4"]


def test_lines_that_ask_the_same_are_one_item(tmp_path):
    found, counts = run_batch(lines(1) * 3, tmp_path / "b", REQUEST)
    assert (counts.made, counts.known, len(found)) == (1, 2, 1)


def test_a_folder_holds_one_batch_of_one_process_a_shard(tmp_path, few, copied):
    for changes, said in (
        ({"request": replace(ANSWERS, max_visual_tokens=64)}, "max_visual_tokens is None there and 64 here"),
        ({"request": ANSWERS, "keep": "all"}, "keep is 'scores' there"),
        ({"request": replace(ANSWERS, dtype="bfloat16")}, "base has other weights, or another number format"),
    ):
        with pytest.raises(InvalidRequest, match=said):
            run_batch(few, copied, **changes)
    with pytest.raises(InvalidRequest, match="no line"):
        run_batch([], tmp_path / "new", ANSWERS)
    run_batch(lines(1), tmp_path / "new", REQUEST)  # nothing was made yet of the other settings
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    with pytest.raises(InvalidRequest, match="not empty, and holds no batch"):
        run_batch(few, tmp_path / "other", ANSWERS)
    files = ShardFiles(copied)
    with pytest.raises(InvalidRequest, match="Another process works on"):
        run_batch(few, copied, ANSWERS)
    files.close()


def test_what_keeps_every_item_from_being_run_stops_the_work(tmp_path):
    broken = tmp_path / "model"
    broken.mkdir()
    with pytest.raises(ModelUnavailable):
        run_batch(lines(1), tmp_path / "b", replace(REQUEST, model=str(broken)))


def test_a_disk_that_is_full_stops_the_work_and_is_no_error_of_every_item(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("attention.capture.layer_writer.save_file", full)
    with pytest.raises(CaptureError, match="disk is full"):
        run_batch(lines(2), tmp_path / "b", REQUEST)
    monkeypatch.undo()
    found, counts = run_batch(lines(2), tmp_path / "b", REQUEST)
    assert (counts.made, counts.failed, len(found.errors())) == (2, 0, 0)


def test_an_answer_that_was_other_in_a_batch_is_taken_as_it_is_alone_and_listed(tmp_path, few, answered, monkeypatch):
    truly = worker.written_together

    def rounded(batch, most, loaded, watch):
        """One answer with another token, and one that goes on, as rounding may have it."""
        first, second, *others = truly(batch, most, loaded, watch)
        return [[first[0] + 1, *first[1:]], [*second, 5], *others]

    monkeypatch.setattr(worker, "written_together", rounded)
    found, counts = run_batch(few, tmp_path / "b", ANSWERS, batch=4)
    assert content(tmp_path / "b") == content(answered)
    assert counts.otherwise == 2 and counts.alone == {worker.NOT_PROVED: 2}
    first, second = found.otherwise()
    assert first["members"]["base"]["from_token"] == 0 and second["members"]["base"]["from_token"] == 2
    assert first["members"]["base"]["in_a_batch"][1:] == first["members"]["base"]["alone"][1:]


def test_a_batch_that_fails_is_written_one_by_one_and_that_is_counted(tmp_path, monkeypatch):
    def fails(*_):
        raise RuntimeError("out of something")

    monkeypatch.setattr(worker, "written_together", fails)
    found, counts = run_batch(lines(2), tmp_path / "b", ANSWERS, batch=2)
    assert len(found) == 2 and counts.alone == {worker.FAILS_TOGETHER: 2}


def test_a_worker_gives_the_same_without_any_thread(tmp_path, few, answered):
    """The seam for other engines: a plan, a worker made of it, and outcomes for items."""
    outcomes = []

    def engine(plan, items, done, stop, tell):
        worker = Worker(plan)
        for outcome in worker(list(items)):
            outcomes.append(outcome)
            done(outcome)

    run_batch(few, tmp_path / "b", ANSWERS, batch=3, engine=engine)
    assert len(outcomes) == 4 and content(tmp_path / "b") == content(answered)
