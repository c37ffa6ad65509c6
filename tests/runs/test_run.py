"""The reader: rows, columns, maps and sums of folders written here, against a float64 softmax under the mask."""

import json
import shutil
import threading

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from attention import open_run
from attention.errors import DamagedRun, NotInRun
from attention.runs import factors
from attention.runs import run as reader

HEADS, KV_HEADS, HEAD_DIM, N = 6, 2, 8, 45
GRID = {"image": 0, "tower": "language", "kind": "whole", "box_px": [0, 0, 40, 30], "rows": 3, "cols": 4}
IMAGE = range(5, 17)  # the tokens of GRID, row by row
GROUPS = [
    {"name": "prompt", "spans": [[0, 5], [17, N]]},
    {"name": "image 1", "spans": [[5, 17]]},
    {"name": "sink", "spans": None},
]


def window(n):
    """A sliding window of 7 over the past, and two positions of padding that see nothing."""
    query, key = np.mgrid[:n, :n]
    return (key <= query) & (key > query - 7) & (key >= 2) & (query >= 2)


MASKS = {
    "causal": lambda n: np.tri(n, dtype=bool),
    "full": lambda n: np.ones((n, n), bool),
    "segments": lambda n: (
        np.searchsorted(ENDS, np.arange(n), "right")[:, None] == np.searchsorted(ENDS, np.arange(n), "right")
    ),
    "mask_0": window,
}
ENDS = [11, 12, 30, N]
BOUND = 1e-6 + 2e-7 * 40  # promise 1: 1e-6 + 2e-7 x the largest score; the scores here stay below 40


def write(
    folder, mask="causal", dtype=torch.float32, layers=2, softcap=None, sink=None, factors=True, stored=(), bias=0,
    **new,
):  # fmt: skip
    """A run of random numbers; returns its folder and the attention it stands for, [layers][heads, n, n]."""
    n = N
    generator = torch.Generator().manual_seed(5)
    (folder / "language").mkdir(parents=True)
    allowed, records, expected = MASKS[mask](n), [], []
    if mask not in ("causal", "full", "segments"):
        packed = np.packbits(allowed, axis=-1, bitorder="little")
        save_file({mask: torch.from_numpy(packed)}, folder / "masks.safetensors")
    for layer in range(layers):
        query = (torch.randn(HEADS, n, HEAD_DIM, generator=generator) * 3).to(dtype)
        key = torch.randn(KV_HEADS, n, HEAD_DIM, generator=generator).to(dtype)
        added = (torch.randn(HEADS, n, n, generator=generator) * bias).to(dtype) if bias else None
        rows = softmax(query, key, allowed, softcap, sink, added)
        tensors = {"query": query, "key": key} if factors else {}
        if stored:
            tensors["attention"] = torch.from_numpy(rows[:, list(stored)].transpose(1, 0, 2).astype(np.float16))
            tensors["positions"] = torch.tensor(list(stored), dtype=torch.int32)
        if mask == "segments":
            tensors["segments"] = torch.tensor(ENDS, dtype=torch.int32)
        if added is not None:
            tensors["position_bias"] = added
        if sink is not None:
            tensors["sink_logits"] = torch.tensor(sink, dtype=torch.float32)
        about = {"scaling": repr(HEAD_DIM**-0.5), "softcap": str(softcap or ""), "mask": mask}
        file = f"language/layer_{layer}.safetensors"
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / file, about)
        records.append({"index": layer, "kind": "softmax", "file": file})
        expected.append(rows)
    tokens = [{"index": i, "text": str(i), "grid": None, "row": None, "col": None} for i in range(n)]
    for i, index in enumerate(IMAGE):
        tokens[index] |= {"grid": 0, "row": i // GRID["cols"], "col": i % GRID["cols"]}
    content = {
        "format": 1, "id": "made", "model": {"id": "random"}, "tokens": tokens, "images": [], "grids": [GRID],
        "towers": {"language": {"heads": HEADS, "keys": n, "layers": records}}, "groups": {"language": GROUPS},
        "sinks": {"language": {"0": [6, 7], "1": []}},
    } | new  # fmt: skip
    (folder / "run.json").write_text(json.dumps(content), encoding="utf-8")
    return folder, expected


def softmax(query, key, allowed, softcap=None, sink=None, bias=None):
    """The definition, in float64 and one step at a time: [heads, n, n]."""
    key = np.repeat(key.double().numpy(), HEADS // KV_HEADS, axis=0)
    scores = query.double().numpy() @ key.transpose(0, 2, 1) * HEAD_DIM**-0.5
    if softcap:
        scores = softcap * np.tanh(scores / softcap)
    if bias is not None:
        scores = scores + bias.double().numpy()
    weights = np.exp(scores) * allowed
    total = weights.sum(-1, keepdims=True)
    if sink is not None:
        total = total + np.exp(np.asarray(sink, np.float64).reshape(HEADS, -1, 1))
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("mask", MASKS)
def test_rows_columns_and_dense_are_the_softmax_under_the_mask(tmp_path, monkeypatch, mask, dtype):
    monkeypatch.setattr(factors, "CHUNK_BYTES", 4 * HEADS * N * 10)  # several chunks, the last one short
    folder, expected = write(tmp_path / "run", mask, dtype)
    with open_run(folder) as run:
        for layer, rows in enumerate(expected):
            dense = run.dense(layer)
            read = np.stack([run.row(layer, query) for query in range(N)], axis=1)
            columns = np.stack([run.column(layer, key) for key in range(N)], axis=2)
            for got in (dense, read, columns):
                assert got.dtype == np.float32 and got.shape == (HEADS, N, N)
                assert np.abs(got - rows).max() <= BOUND
                assert not got[:, ~MASKS[mask](N)].any()
            sees = MASKS[mask](N).any(axis=-1)
            assert np.allclose(dense.sum(-1)[:, sees], 1, atol=1e-6) and not dense[:, ~sees].any()


SCORED = {
    "cap": {"softcap": 5.0},
    "sinks": {"sink": [2.0, -1.0, 0.0, 9.0, 1.0, 3.0]},
    "bias": {"bias": 3},
    "bias, and sinks of each query": {"bias": 3, "sink": np.arange(HEADS * N).reshape(HEADS, N) % 7 - 3.0},
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("more", SCORED.values(), ids=SCORED)
def test_caps_biases_and_learned_sinks_are_part_of_the_softmax(tmp_path, monkeypatch, mask, more):
    monkeypatch.setattr(factors, "CHUNK_BYTES", 4 * HEADS * N * 10)
    folder, expected = write(tmp_path / "run", mask, layers=1, **more)
    with open_run(folder) as run:
        columns = np.stack([run.column(0, key) for key in range(N)], axis=2)
        assert np.abs(run.dense(0) - expected[0]).max() <= BOUND
        assert np.abs(columns - expected[0]).max() <= BOUND
        assert np.abs(run.row(0, N - 1) - expected[0][:, -1]).max() <= BOUND


def test_stored_rows_are_taken_where_there_are_and_the_source_can_be_chosen(tmp_path):
    stored = [3, 20, 21, 44]
    folder, expected = write(tmp_path / "run", stored=stored)
    with open_run(folder) as run:
        assert list(run.stored_positions()) == stored
        for query in range(N):
            source = run.row_source(1, query)
            assert source == ("stored" if query in stored else "factors")
            exact = run.row(1, query, source="factors")
            assert np.abs(exact - expected[1][:, query]).max() <= BOUND
            if source == "stored":
                half = run.stored_row(1, query)
                assert half.dtype == np.float16 and np.array_equal(half, expected[1][:, query].astype(np.float16))
                assert np.array_equal(run.row(1, query), half.astype(np.float32))
                assert not np.array_equal(run.row(1, query), exact)
        for ask in (lambda: run.stored_row(0, 4), lambda: run.row(0, 4, source="stored")):
            with pytest.raises(NotInRun, match="Row 4 of layer 0 was not stored; ask for source=factors"):
                ask()
        with pytest.raises(NotInRun, match="auto, stored or factors, not 'exact'"):
            run.row(0, 3, source="exact")


def test_a_layer_without_factors_is_read_from_its_rows(tmp_path):
    """As where a position bias enters the scores: every row is stored."""
    folder, expected = write(tmp_path / "run", stored=range(N), factors=False)
    with open_run(folder) as run:
        half = expected[0].astype(np.float16).astype(np.float32)
        assert np.array_equal(run.dense(0), half)
        assert np.array_equal(run.column(0, 7), half[:, :, 7])
        assert run.exact_source(0) == "stored"
        assert np.allclose(run.masses(30)[0].sum(-1), 1 + half[:, 30, [6, 7]].sum(-1), atol=1e-3)
        with pytest.raises(NotInRun, match="keeps no queries and keys; ask for source=stored"):
            run.row(0, 3, source="factors")


def test_maps_atlases_masses_and_what_is_received_are_sums_and_parts_of_rows(tmp_path):
    folder, expected = write(tmp_path / "run", stored=[44])
    rows = np.stack(expected)
    with open_run(folder) as run:
        tolerance = BOUND
        assert np.array_equal(run.cells(0), np.arange(5, 17).reshape(3, 4))
        assert np.abs(run.map(1, 2, 40) - rows[1, 2, 40, 5:17].reshape(3, 4)).max() <= tolerance
        over_heads = rows[:, :, 40, 5:17].mean(axis=1).reshape(2, 3, 4)
        assert np.abs(run.map(1, "mean", 40) - over_heads[1]).max() <= tolerance
        # heads first, then layers
        assert np.abs(run.map("max", "mean", 40) - over_heads.max(axis=0)).max() <= tolerance
        column = rows[:, :, :, 9].max(axis=1).mean(axis=0)
        assert np.abs(run.reduced_column("mean", "max", 9) - column).max() <= tolerance
        assert np.abs(run.atlas(40) - rows[:, :, 40, 5:17]).max() <= 3e-4
        assert np.array_equal(run.atlas(44), rows[:, :, 44, 5:17].astype(np.float16))
        assert np.abs(run.atlas(key=8) - rows[:, :, 5:17, 8]).max() <= 3e-4
        groups = [rows[:, :, 44, list(range(5)) + list(range(17, N))].sum(-1), rows[:, :, 44, 5:17].sum(-1)]
        sinks = np.stack([rows[0, :, 44, [6, 7]].sum(0), np.zeros(HEADS)])
        # from float32, though the row is stored
        assert np.abs(run.masses(44) - np.stack([*groups, sinks], axis=-1)).max() <= 1e-6
        seen = []
        received = run.received(1, progress=lambda done, total: seen.append((done, total)))
        assert np.abs(received - rows[1].mean(axis=1)).max() <= tolerance
        assert seen[-1] == (N, N) and run.received(1) is received
        seen.clear()
        over_layers = run.received("mean", progress=lambda done, total: seen.append((done, total)))
        assert np.abs(over_layers - rows.mean(axis=(0, 2))).max() <= tolerance
        assert seen[-1] == (2 * N, 2 * N) and (N, 2 * N) in seen and seen == sorted(seen), "of both layers, in order"
        over_heads = run.received("max", head="mean")
        assert np.abs(over_heads - rows.mean(axis=(1, 2)).max(axis=0)).max() <= tolerance


@pytest.mark.parametrize("mask", MASKS)
def test_a_span_is_the_mean_of_its_rows_and_of_its_columns(tmp_path, monkeypatch, mask):
    monkeypatch.setattr(factors, "CHUNK_BYTES", 4 * HEADS * N * 4)  # four rows at a time
    folder, expected = write(tmp_path / "run", mask)
    with open_run(folder) as run:
        for first, last in ((6, 7), (3, 17), (30, 43), (0, N - 1)):
            row = np.stack([rows[:, first : last + 1].mean(axis=1) for rows in expected])
            column = np.stack([rows[:, :, first : last + 1].mean(axis=2) for rows in expected])
            assert run.row(1, first, until=last).dtype == run.column(1, first, until=last).dtype == np.float32
            assert np.abs(run.row(1, first, until=last) - row[1]).max() <= BOUND
            assert np.abs(np.stack(run.rows(first, until=last)) - row).max() <= BOUND
            assert np.abs(run.column(1, first, until=last) - column[1]).max() <= BOUND
            # heads come after the span, layers after heads
            reduced = run.reduced_row("mean", "max", first, until=last)
            assert np.abs(reduced - row.max(axis=1).mean(axis=0)).max() <= BOUND
            reduced = run.reduced_column("max", "mean", first, until=last)
            assert np.abs(reduced - column.mean(axis=1).max(axis=0)).max() <= BOUND
            assert np.array_equal(run.map(1, 2, first, until=last), run.row(1, first, until=last)[2][run.cells(0)])
            assert np.abs(run.atlas(first, until=last) - row[:, :, 5:17]).max() <= 3e-4
            assert np.abs(run.atlas(key=first, until=last) - column[:, :, 5:17]).max() <= 3e-4
            masses = np.stack([row[:, :, [*range(5), *range(17, N)]].sum(-1), row[:, :, 5:17].sum(-1)], axis=-1)
            assert np.abs(run.masses(first, until=last)[..., :2] - masses).max() <= 2e-6


def test_a_span_of_one_position_is_that_position(tmp_path):
    folder, _ = write(tmp_path / "run", stored=[44])
    with open_run(folder) as run:
        for at in (20, 44):
            assert np.array_equal(run.row(1, at, until=at), run.row(1, at))
            assert np.array_equal(run.column(1, at, until=at), run.column(1, at))
            assert np.array_equal(run.atlas(at, until=at), run.atlas(at))
            assert np.array_equal(run.masses(at, until=at), run.masses(at))


def test_the_rows_of_a_span_have_one_source(tmp_path):
    stored = [3, 20, 21, 22, 44]
    folder, expected = write(tmp_path / "run", stored=stored)
    with open_run(folder) as run:
        half = expected[1].astype(np.float16).astype(np.float64)
        assert run.row_source(1, 20, until=22) == "stored"
        assert np.array_equal(run.row(1, 20, until=22), half[:, 20:23].mean(axis=1).astype(np.float32))
        exact = run.row(1, 20, until=22, source="factors")
        assert np.abs(exact - expected[1][:, 20:23].mean(axis=1)).max() <= BOUND
        for first, last in ((20, 23), (19, 21), (3, 44), (22, 44)):
            assert run.row_source(1, first, until=last) == "factors"
            mean = expected[1][:, first : last + 1].mean(axis=1)
            assert np.abs(run.row(1, first, until=last) - mean).max() <= BOUND
            with pytest.raises(
                NotInRun, match=f"Rows {first} to {last} of layer 1 were not stored; ask for source=fac"
            ):
                run.row(1, first, until=last, source="stored")


def test_a_span_without_factors_is_the_mean_of_stored_rows(tmp_path):
    folder, expected = write(tmp_path / "run", stored=range(N), factors=False)
    with open_run(folder) as run:
        half = expected[0].astype(np.float16).astype(np.float64)
        assert np.array_equal(run.row(0, 7, until=30), half[:, 7:31].mean(axis=1).astype(np.float32))
        assert np.allclose(run.column(0, 7, until=30), half[:, :, 7:31].mean(axis=2), atol=1e-9)


def test_scores_of_any_row_are_what_their_names_say(tmp_path):
    folder, expected = write(tmp_path / "run", stored=[44], sinks={"language": {"0": [6, 7], "1": []}})
    with open_run(folder) as run:
        for query, until in ((44, None), (20, None), (20, 30)):
            row = np.stack([rows[:, query : (until or query) + 1].mean(axis=1) for rows in expected])
            cells = row[:, :, 5:17]
            share = cells / cells.sum(axis=-1, keepdims=True)
            known = {
                "image_mass": cells.sum(axis=-1),
                "sink_mass": np.stack([row[0, :, 6:8].sum(axis=-1), np.zeros(HEADS)]),
                "sink_share": np.stack([share[0, :, 1:3].sum(axis=-1), np.zeros(HEADS)]),
                "entropy": -(row * np.log2(np.where(row > 0, row, 1))).sum(axis=-1),
                "image_entropy": -(share * np.log2(share)).sum(axis=-1),
                "peak": cells.max(axis=-1),
                "value": row[:, :, 3],
            }
            for name, values in known.items():
                scores = run.row_scores(name, query, until=until, key=3)
                assert scores.dtype == np.float32 and scores.shape == (2, HEADS)
                assert np.allclose(scores, values, atol=3e-5), name
            assert run.row_scores("spatial_entropy", query, until=until).shape == (2, HEADS)
        assert not run.row_scores("image_mass", 2).any(), "the picture comes later"
        assert not run.row_scores("sink_share", 2).any() and not run.row_scores("image_entropy", 2).any()


def test_a_run_without_pictures_has_scores(tmp_path):
    folder, _ = write(tmp_path / "run", grids=[], sinks={})
    with open_run(folder) as run:
        for name in ("image_mass", "sink_mass", "sink_share", "image_entropy", "peak"):
            assert not run.row_scores(name, 30).any(), name
        assert np.isnan(run.row_scores("spatial_entropy", 30)).all(), "as in the table"
        assert run.row_scores("entropy", 30).all()


def test_what_is_made_of_one_token_is_made_of_rows_that_are_computed_once(tmp_path, monkeypatch):
    folder, _ = write(tmp_path / "run")
    made = []
    compute = factors.Layer.rows
    monkeypatch.setattr(factors.Layer, "rows", lambda *args: made.append(args) or compute(*args))
    with open_run(folder) as run:
        run.atlas(30), run.masses(30), run.row_scores("entropy", 30), run.rows(30, until=30)
        assert len(made) == len(run.layers())
        with pytest.raises(ValueError, match="read-only"):
            run.rows(30)[0][:] = 0
        value = run.row_scores("value", 30, key=2)
        value[:] = 0
        assert run.row_scores("value", 30, key=2).any(), "what is given away is not what is kept"


def test_layers_are_named_by_their_index_in_the_model(tmp_path):
    """Hybrid models: a layer without softmax attention is listed and has no file."""
    folder, expected = write(tmp_path / "run")
    info = json.loads((folder / "run.json").read_text())
    first, second = info["towers"]["language"]["layers"]
    linear = {"index": 0, "kind": "linear", "file": None}
    info["towers"]["language"]["layers"] = [linear, {**first, "index": 3}, {**second, "index": 7}]
    (folder / "run.json").write_text(json.dumps(info))
    with open_run(folder) as run:
        assert run.layers() == [3, 7]
        assert np.abs(run.row(7, 30) - expected[1][:, 30]).max() <= BOUND
        assert run.atlas(30).shape == (2, HEADS, 12)
        with pytest.raises(NotInRun, match=r"Layer 0 .* has linear attention, which makes no map. .* maps: 3, 7"):
            run.row(0, 30)
        assert run.other_layers() == {0: "linear attention"}


BAD_INDICES = {
    "layer": (lambda run: run.row(2, 0), "Layer 2 has no attention in this run's language tower: it has 0, 1"),
    "negative layer": (lambda run: run.column(-1, 0), "Layer -1 has no attention"),
    "query": (lambda run: run.row(0, N), f"no query {N} in this run's language tower: it has positions 0 to {N - 1}"),
    "negative query": (lambda run: run.stored_row(0, -1), "no query -1"),
    "key": (lambda run: run.column(0, N), f"no key {N} in"),
    "fraction": (lambda run: run.row(0, 1.0), "no query 1.0"),
    "truth": (lambda run: run.row(0, True), "no query True"),
    "head": (lambda run: run.map(0, HEADS, 0), f"no head {HEADS} in this run's language tower: it has heads 0 to 5"),
    "word": (lambda run: run.map(0, "median", 0), "no head 'median'"),
    "layer word": (lambda run: run.map("median", 0, 0), "Layer 'median' has no attention"),
    "grid": (lambda run: run.map(0, 0, 0, grid=1), "no grid 1 in this run: it has grids 0 to 0"),
    "tower": (lambda run: run.row(0, 0, "vision"), "no tower 'vision'; it has language"),
    "score": (lambda run: run.score("beauty"), "no score 'beauty' for its language tower; it has none"),
    "row score": (
        lambda run: run.row_scores("beauty", 3),
        "no score 'beauty' of a row; there is image_mass, .* and val",
    ),
    "row of a score": (lambda run: run.row_scores("peak", N), f"no query {N}"),
    "value nowhere": (lambda run: run.row_scores("value", 3), "at one key: name the key"),
    "value at no key": (lambda run: run.row_scores("value", 3, key=N), f"no key {N}"),
    "span that ends too soon": (lambda run: run.row(0, 7, until=6), "no span from query 7 until 6 in .* from 7 to 44"),
    "span that ends too late": (lambda run: run.rows(7, until=N), f"no span from query 7 until {N} in"),
    "span of a key": (lambda run: run.column(0, 7, until=3), "no span from key 7 until 3 in this run's language tower"),
    "span to a fraction": (lambda run: run.masses(7, until=8.0), "no span from query 7 until 8.0"),
    "both": (lambda run: run.atlas(1, key=1), "one query or of one key"),
    "neither": (lambda run: run.atlas(), "one query or of one key"),
}


@pytest.mark.parametrize("ask, words", BAD_INDICES.values(), ids=BAD_INDICES)
def test_what_is_not_there_is_refused_in_words(tmp_path, ask, words):
    folder, _ = write(tmp_path / "run")
    with open_run(folder) as run, pytest.raises(NotInRun, match=words) as caught:
        ask(run)
    assert isinstance(caught.value, LookupError)


def test_a_grid_belongs_to_one_tower(tmp_path):
    folder, _ = write(tmp_path / "run")
    info = json.loads((folder / "run.json").read_text())
    info["grids"].append({**GRID, "tower": "vision"})
    patches = [{"grid": 1, "row": row, "col": col} for row in range(3) for col in range(4)]
    info["towers"]["vision"] = {**info["towers"]["language"], "keys": patches}
    (folder / "run.json").write_text(json.dumps(info))
    with open_run(folder) as run:
        assert run.keys("vision") == 12 and run.cells(1)[2, 3] == 11
        with pytest.raises(NotInRun, match="Grid 1 belongs to the vision tower; the language tower has grids 0"):
            run.map(0, 0, 0, grid=1)


def rewrite(**changes):
    def damage(folder):
        path = folder / "run.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return damage


def layer(damage):
    return lambda folder: damage(folder / "language/layer_0.safetensors")


DAMAGE = {
    "no run.json": (lambda folder: (folder / "run.json").unlink(), "is not a finished run: it has no run.json"),
    "no folder": (shutil.rmtree, "is not a finished run"),
    "half of run.json": (lambda folder: (folder / "run.json").write_text('{"format": 1, "i'), "cannot be read"),
    "a list": (lambda folder: (folder / "run.json").write_text("[]"), "has format None"),
    "a later format": (rewrite(format=3), "has format 3; this version reads up to 2"),
    "no format": (rewrite(format="x"), "has format 'x'"),
    "a missing layer": (layer(lambda file: file.unlink()), "layer_0.safetensors of this run cannot be opened"),
    "a cut-off layer": (layer(lambda file: file.write_bytes(file.read_bytes()[:-9])), "is damaged: it is cut off"),
    "an empty layer": (layer(lambda file: file.write_bytes(b"")), "layer_0.* is damaged: a header of 0 bytes"),
    "not safetensors": (layer(lambda file: file.write_bytes(b"\x89PNG" * 90)), "layer_0.safetensors of this run is"),
    "a cell without a token": (rewrite(grids=[{**GRID, "rows": 4}]), "Grid 0 of .* has cells that no key stands for"),
}


@pytest.mark.parametrize("damage, words", DAMAGE.values(), ids=DAMAGE)
def test_a_folder_that_is_no_whole_run_is_refused_in_words(tmp_path, damage, words):
    folder, _ = write(tmp_path / "run")
    damage(folder)
    with pytest.raises(DamagedRun, match=words), open_run(folder) as run:
        run.map(0, 0, 30)


def test_a_layer_that_has_not_as_many_keys_as_the_run_says_is_refused(tmp_path):
    folder, _ = write(tmp_path / "run")
    info = json.loads((folder / "run.json").read_text())
    info["towers"]["language"]["keys"] = N - 1
    (folder / "run.json").write_text(json.dumps(info))
    with open_run(folder) as run:
        for read in (lambda: run.row(0, 5), lambda: run.column(0, 5)):
            with pytest.raises(DamagedRun, match=f"has {N} queries and {N} keys; run.json says {N - 1} and {N - 1}"):
                read()


def test_fields_that_a_reader_does_not_know_are_ignored(tmp_path):
    folder, expected = write(tmp_path / "run", colour="green")
    with open_run(folder) as run:
        assert np.abs(run.row(0, 5) - expected[0][:, 5]).max() <= BOUND


def test_a_closed_run_can_be_deleted_and_until_then_used_again(tmp_path):
    folder, _ = write(tmp_path / "run", stored=[44])
    run = open_run(folder)
    first = run.column(0, 3)
    run.close()
    for kept in (factors.FACTORS, factors.COMPUTED, reader.ROWS):
        assert not [name for name in kept.names() if name[0] is run._owner]
    assert np.array_equal(run.column(0, 3), first)
    held = run._file(0, "language")
    run.close()
    with pytest.raises(DamagedRun, match="was closed while it was being read"):
        held.read("query")
    shutil.rmtree(folder)
    with pytest.raises(DamagedRun, match="cannot be opened"):
        run.row(0, 3)


def test_factors_in_memory_are_bounded_and_forgotten_in_turn(tmp_path, monkeypatch):
    one_layer = 4 * N * HEAD_DIM * (HEADS + KV_HEADS)
    monkeypatch.setattr(factors, "FACTORS", reader.ArrayCache(2 * one_layer))
    folder, expected = write(tmp_path / "run", layers=5)
    with open_run(folder) as run:
        for layer in (0, 1, 2, 3, 4, 0):
            assert np.abs(run.column(layer, 3) - expected[layer][:, :, 3]).max() <= BOUND
            assert factors.FACTORS.nbytes <= 2 * one_layer
        assert (run._owner, "language", 1, "key") not in factors.FACTORS.names()
        assert (run._owner, "language", 1, "log-sum-exp") in factors.COMPUTED.names(), "they cost more than their place"


def test_many_readers_at_once_read_the_same(tmp_path):
    folder, expected = write(tmp_path / "run", layers=3, stored=[10, 44], dtype=torch.bfloat16)
    run = open_run(folder)
    errors, wrong = [], []
    start = threading.Barrier(8)

    def look(seed):
        rng = np.random.default_rng(seed)
        start.wait()
        try:
            for layer, at in zip(rng.integers(3, size=60).tolist(), rng.integers(N, size=60).tolist(), strict=True):
                row, column = run.row(layer, at), run.column(layer, at)
                if np.abs(row - expected[layer][:, at]).max() > 3e-4:  # float16, where it is stored
                    wrong.append(("row", layer, at))
                if np.abs(column - expected[layer][:, :, at]).max() > BOUND:
                    wrong.append(("column", layer, at))
        except Exception as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [threading.Thread(target=look, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.close()
    assert not errors and not wrong
