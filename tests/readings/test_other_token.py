"""The other token of a target by its text: one of the vocabulary, or refused by name with what it is instead."""

import pytest

from attention.environment import POCKET
from attention.errors import InvalidRequest
from attention.kinds.forecast import FORECAST
from attention.kinds.other_token import with_id
from attention.models.config import processor_of, read_config
from attention.runs.run import open_run


@pytest.fixture(scope="module")
def tokenizer():
    _, family = read_config(str(POCKET))
    return processor_of(str(POCKET), family).tokenizer


@pytest.fixture
def run():
    with open_run("assets/examples/window") as run:
        yield run


def asked(run, token, text):
    return with_id(run, {"tokens": [token], "against": text})["against"]


def test_a_text_is_the_token_that_is_written_so_where_it_stands(run, tokenizer):
    texts = [token["text"] for token in run.info["tokens"]]
    first = run.info["prompt_tokens"]
    spaced = next(i for i in range(first, len(texts)) if texts[i].startswith(" "))
    bare = next(i for i in range(first, len(texts)) if texts[i].strip() == texts[i] and texts[i].isdigit())
    for token, text, found in ((spaced, "blue", " blue"), (spaced, " blue", " blue"), (bare, "blue", "blue"),
                               (bare, " blue", " blue"), (bare, "7", "7"), (spaced, "7", "7")):  # fmt: skip
        assert tokenizer.decode([asked(run, token, text)]) == found
    given = {"tokens": [bare], "against": 7, "towers": None}
    assert with_id(run, given) is given and "against" not in with_id(run, {"tokens": [bare]})
    assert FORECAST.read(run, with_id(run, {"tokens": [bare], "against": "blue"}))["against"] == asked(
        run, bare, "blue"
    )


@pytest.mark.parametrize(("text", "why"), [
    ("dark blue", "'dark blue' is 4 tokens of this model: 'd', 'ar', 'k', ' blue'"),
    ("\u2603", "is 3 tokens of this model: 'bytes E2', 'bytes 98', 'bytes 83'"),
    ("\ud83d", "has half of a sign"),
    ("x" * 101, "has 101 characters; the limit is 100"),
])  # fmt: skip
def test_what_is_not_one_token_is_refused_by_name(run, text, why):
    with pytest.raises(InvalidRequest, match=why):
        asked(run, run.info["prompt_tokens"], text)


def test_several_tokens_have_no_other(run):
    with pytest.raises(InvalidRequest, match="One token is set against another"):
        with_id(run, {"against": "blue"})
