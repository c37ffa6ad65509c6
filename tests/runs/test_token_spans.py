"""Towers that only some tokens read or are read in: spans that somebody else wrote, and what they may cost a reader."""

import json

import pytest
from made_runs import chat, scene, write_run

from attention.errors import DamagedRun, LimitExceeded, NotInRun
from attention.limits import MAX_HEADS, MAX_LAYERS
from attention.runs.checks.run import check_index
from attention.runs.run import Run


@pytest.fixture
def info(tmp_path):
    """The content of a run.json, with a second tower of tokens beside `language`."""
    shapes = [(2, 3)]
    write_run(tmp_path / "run", [scene(60, 40)], shapes, tokens=chat(shapes), layers=(0,), vision=True, prompt="what?")
    info = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    layers = [info["towers"]["language"]["layers"][0] | {"file": "encoder/layer_00.safetensors"}]
    info["towers"]["encoder"] = info["towers"]["language"] | {"layers": layers}
    info["groups"] |= {"encoder": [], "vision": []}
    check_index(info)
    return info


@pytest.mark.parametrize("name", ["query_tokens", "key_tokens"])
@pytest.mark.parametrize(
    "spans, words",
    [
        ([[4, 6], [0, 2]], "the start of a span of .* is 0; it must be a whole number from 6"),
        ([[0, 5], [4, 6]], "the start of a span of .* is 4; it must be a whole number from 5"),
        ([[5, 5]], "the end of a span of .* is 5; it must be a whole number from 6"),
        ([[0, 10_000]], "the end of a span of .* is 10000"),
        ([[-1, 2]], "the start of a span of .* is -1"),
        ([], "is '0 long'; it must be a list of at least 1"),
        ([[0]], "is '1 long'; it must be a list of at least 2"),
        (None, "is None; it must be a list"),
    ],
)
def test_spans_that_are_none_are_refused_in_words(info, name, spans, words):
    info["towers"]["encoder"][name] = spans
    with pytest.raises(DamagedRun, match=words):
        check_index(info)


def test_cells_are_read_in_the_tower_of_their_grid(info):
    first = next(token["index"] for token in info["tokens"] if token["grid"] is not None)
    info["towers"]["language"]["key_tokens"] = [[0, first + 1]]
    with pytest.raises(
        DamagedRun, match=rf"the grid of token {first + 1} is 0; it must be one of a tower that it is read"
    ):
        check_index(info)


def test_patches_have_no_spans_of_tokens_however_many_they_are(info):
    vision = info["towers"]["vision"]
    vision["keys"] = [*vision["keys"], *[None] * len(info["tokens"])][: len(info["tokens"])]
    vision["query_tokens"] = [[0, 2]]
    with pytest.raises(DamagedRun, match=r"query_tokens of tower vision is .*: its queries are no tokens"):
        check_index(info)
    del vision["query_tokens"]
    vision["key_tokens"] = [[0, 2]]
    with pytest.raises(DamagedRun, match=r"key_tokens of tower vision is .*: its keys are no tokens"):
        check_index(info)


def test_a_tower_that_few_tokens_are_read_in_may_not_ask_for_rows_of_all_without_end(info):
    """A row that is read has a place for every token, however few are keys."""
    n = 10_000
    info["tokens"] = [info["tokens"][0] | {"index": i, "grid": None, "row": None, "col": None} for i in range(n)]
    info["grids"], info["groups"] = [], {"language": []}
    info["towers"] = {"language": info["towers"]["language"] | {"keys": n}, "encoder": info["towers"]["encoder"]}
    layer = info["towers"]["encoder"]["layers"][0]
    layers = [layer | {"index": i, "file": f"encoder/layer_{i:02}.safetensors"} for i in range(MAX_LAYERS)]
    info["towers"]["encoder"] |= {"keys": n, "heads": MAX_HEADS, "layers": layers, "key_tokens": [[0, 1]]}
    with pytest.raises(LimitExceeded, match=r"and 10,000 keys: 10,240,000,000 numbers for each token"):
        check_index(info)


@pytest.mark.parametrize("field, value", [("layers", -1), ("layers", 10**9), ("heads", 0)])
def test_a_tower_that_cannot_be_read_has_layers_and_heads(info, field, value):
    unread = {"layers": 2, "heads": 2, "why": "it is none"}
    check_index(info | {"unread_towers": {"audio": unread}})
    with pytest.raises(DamagedRun, match=f"{field} of unread tower audio is {value}; it must be a whole number from 1"):
        check_index(info | {"unread_towers": {"audio": unread | {field: value}}})


def test_many_towers_that_cannot_be_read_are_refused(info):
    unread = {f"t{i}": {"layers": 2, "heads": 2, "why": "it is none"} for i in range(5_000)}
    with pytest.raises(DamagedRun, match="unread_towers is '5,000 fields'; it must be at most"):
        check_index(info | {"unread_towers": unread})


def test_a_refusal_of_a_token_does_not_list_spans_without_end(tmp_path):
    shapes = [(2, 3)]
    write_run(tmp_path / "run", [scene(60, 40)], shapes, tokens=chat(shapes) * 40, layers=(0,))
    with Run(tmp_path / "run") as run:
        n = len(run.info["tokens"])
        run.info["towers"]["language"]["query_tokens"] = [[i, i + 1] for i in range(0, n, 2)]
        words = r"Token 1 has no row .*: its tokens are 0 to 0, .* spans more\.$"
        with pytest.raises(NotInRun, match=words) as refused:
            run.row(0, 1)
        assert len(str(refused.value)) < 250
