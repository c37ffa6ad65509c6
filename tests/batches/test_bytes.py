"""Arithmetic of the document on batches, held to a real batch; and its recipes, as far as they can be run."""

import ast
import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from made_batches import READINGS, read_batch
from safetensors import safe_open
from shared import once

from attention import Request, open_batch, open_run, run_batch
from attention.batches.tables import AT_A_PLACE, SCORES
from attention.commands.main import main
from attention.environment import ASSETS, EXAMPLES
from attention.kinds.kept import kept_readings

README = (ASSETS.parent / "attention" / "batches" / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"## (Slurm|HF Jobs|Modal)\n\n```\w+\n(.*?)```", README, re.DOTALL)
ITEM = {"image": str(EXAMPLES / "shapes.png"), "prompt": "what color is the circle?", "box": [301, 459, 431, 588]}
BATCH = re.compile(r"python -m attention batch (--jsonl[^\n]*)")


def scores(layers, heads, places):
    return 4 * layers * heads * (5 + 10 * places)


def rows(layers, heads, tokens, measured=1):
    return 2 * measured * layers * heads * tokens


def factors(layers, heads, key_heads, size, tokens, number):
    return number * layers * tokens * size * (heads + key_heads)


def as_text(n_bytes):
    unit, name = next(
        (unit, name) for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")) if n_bytes >= unit
    )
    return f"{n_bytes / unit:.{0 if n_bytes >= 10 * unit else 1}f} {name}"


@pytest.fixture(scope="module", params=["rows", "all"])
def batch(request):
    def make(folder):
        run_batch([ITEM], folder, Request(model="pocket", device="cpu", vision=False), keep=request.param)

    return open_batch(once(f"one item, {request.param} kept", make))


def test_an_item_has_the_bytes_that_the_formulas_say(batch):
    (row,) = batch.rows()
    layers, heads = batch.shape()
    assert (len(SCORES), len(AT_A_PLACE)) == (5, 10)
    assert (batch.folder / "scores.f32").stat().st_size == scores(layers, heads, 1)
    kept = batch.folder / row["kept"]
    if kept.is_file():
        with safe_open(kept, "np") as file:
            n_bytes = file.get_tensor("base.attention").nbytes
        assert n_bytes == rows(layers, heads, row["tokens"])
        assert kept.stat().st_size - n_bytes < 210 * row["tokens"]
        return
    info = json.loads((kept / "run.json").read_text())
    layer = info["towers"]["language"]["layers"][0]
    found = stored = 0
    for path in (kept / "language").iterdir():
        with safe_open(path, "np") as file:
            found += file.get_tensor("query").nbytes + file.get_tensor("key").nbytes
            stored += file.get_tensor("attention").shape[0] if "attention" in file.keys() else 0  # noqa: SIM118
            if "attention" in file.keys():  # noqa: SIM118
                values = file.get_tensor("attention")
                assert values.nbytes == 2 * values.shape[0] * heads * row["tokens"]
    assert found == factors(layers, heads, layer["kv_heads"], layer["head_dim"], row["tokens"], 4)


def test_readings_have_the_bytes_that_the_formulas_say():
    batch = open_batch(read_batch())
    layers, heads = batch.shape()
    regions = READINGS["agreement"]["sides"] ** 2
    for row, places in zip(batch.rows(), (2, 0), strict=True):
        n, tables = row["tokens"], 4 * layers * heads
        n_bytes = scores(layers, heads, places) + tables * (4 + 2 * places) + tables * (1 + 2 * places) + 2 * tables
        assert row["numbers"]["bytes"] == n_bytes
        with open_run(batch.folder / row["kept"]) as run:
            layer, cells = run.info["towers"]["language"]["layers"][0], run.cells(0).size
            kept = {each["kind"]: each["bytes"] for each in kept_readings(run)["readings"]}
        own = factors(layers, heads, layer["kv_heads"], layer["head_dim"], n, 4) + tables * n
        expected = {"forecast": own, "relative": tables * cells, "lens": 40 * layers * n, "agreement": tables * regions}
        for kind, size in expected.items():  # and a header of each file
            assert 0 < kept[kind] - size < 600 * layers, kind


def test_the_table_has_what_the_formulas_give():
    shape = {"layers": 28, "heads": 16}
    of_scores = 2 * scores(**shape, places=1)
    each = {
        "scores": of_scores, "rows": of_scores + rows(**shape, tokens=1500),
        "all": of_scores + factors(**shape, key_heads=8, size=128, tokens=1500, number=2),
    }  # fmt: skip
    for keep, n_bytes in each.items():
        line = next(line for line in README.splitlines() if line.startswith(f"| `{keep}`"))
        assert line.endswith(f"| {as_text(n_bytes)} | {as_text(n_bytes * 1e6)} |"), (keep, as_text(n_bytes))


def test_recipes_are_programs(tmp_path):
    assert [name for name, _ in BLOCKS] == ["Slurm", "HF Jobs", "Modal"]
    for name, text in BLOCKS:
        if name == "Modal":
            ast.parse(text)
            continue
        subprocess.run(["bash", "-n"], input=text, text=True, check=True)


def commands():
    """The command of each recipe, for its first two shards as if there were no more."""
    for name, text in BLOCKS:
        found = BATCH.search(text.replace('MODEL"\n', "MODEL\n") if name == "Modal" else text)
        line = found[1] + (' --output-dir answers --shard "{shard}/16"' if name == "Modal" else "")
        yield (
            name,
            [
                re.sub(r"\$SLURM_ARRAY_TASK_ID|\{shard\}|\$i\b", "{}", line).replace("/16", "/2").format(i)
                for i in (1, 2)
            ],
        )


def test_two_shards_of_each_recipe_are_the_batch(tmp_path, capsys):
    lines = [
        json.dumps(ITEM | {"prompt": prompt}) for prompt in ("what color is the circle?", "what color is the star?")
    ]
    (tmp_path / "set.jsonl").write_text("\n".join(lines))
    for name, (first, second) in commands():
        for command in (first, second):
            of = {"set.jsonl": tmp_path / "set.jsonl", "/set/set.jsonl": tmp_path / "set.jsonl", "MODEL": "pocket",
                  "/disk/set.jsonl": tmp_path / "set.jsonl", "answers": tmp_path / name}  # fmt: skip
            assert main(["batch", *(str(of.get(word, word)) for word in shlex.split(command)), "--quiet"]) == 0, name
        assert [row["number"] for row in open_batch(tmp_path / name).rows()] == [0, 1]
        assert not Path(tmp_path / name / "items.jsonl").exists()
