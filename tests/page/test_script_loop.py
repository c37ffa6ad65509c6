"""The loop of `attention/serving/README.md`, as a script runs it against a server that takes no more at times."""

import json
import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from pictures import noise
from served import served

from attention.errors import Busy

DOCUMENT = Path(__file__).parents[2] / "attention" / "serving" / "README.md"
LOOP = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.S)[0]


def run_loop(address):
    """Run the document's own words; the times that it waited."""
    waits = []

    def wait(seconds):
        waits.append(seconds)
        threading.Event().wait(0.02)

    code = LOOP.replace("http://127.0.0.1:7860/", address).replace("time.sleep(", "wait(")
    names = {"wait": wait}
    try:
        exec(compile(code, "loop", "exec"), names)
    finally:
        names["client"].close()
    return waits


def hold_devices_until_one_is_refused(turns, monkeypatch):
    """Let no job on a device before another has been refused: a quick one would be done before the next is sent."""
    refused, enter, take_device = threading.Event(), turns.enter, turns.take_device

    def enter_or_tell(visitor):
        try:
            return enter(visitor)
        except Busy:
            refused.set()
            raise

    monkeypatch.setattr(turns, "enter", enter_or_tell)
    monkeypatch.setattr(turns, "take_device", lambda turn: refused.is_set() and take_device(turn))


def lines(folder):
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("count", [6, pytest.param(100, marks=pytest.mark.full)])
def test_a_script_waits_while_no_more_is_taken_and_goes_on_where_it_ended(tmp_path, monkeypatch, count):
    monkeypatch.chdir(tmp_path)
    items = [{"image": f"{i}.png", "prompt": "what?", "box": [0, 0, 40, 40]} for i in range(count)]
    for item in items:
        noise().save(item["image"])
    half = count // 2
    (tmp_path / f"{half}.png").write_bytes(b"no picture")
    with served(tmp_path / "app", is_hosted=True, is_brief=True) as (service, address):
        service.turns.limits = replace(service.turns.limits, waiting=1, running=1)  # of a script that asks for three
        hold_devices_until_one_is_refused(service.turns, monkeypatch)
        (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, items[:half])))
        assert run_loop(address), "the third of three is refused, and asked again"
        first = lines(tmp_path)
        (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, items)))
        run_loop(address)
    rows = lines(tmp_path)
    assert rows[:half] == first and [row["image"] for row in rows] == [item["image"] for item in items]
    assert list(rows[half]) == ["image", "error"] and "picture" in rows[half]["error"]
    assert all(row["region"]["members"][0]["heads"] for row in rows if row is not rows[half])
