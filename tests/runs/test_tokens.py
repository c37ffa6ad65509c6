"""Texts of tokens, groups and spans."""

import json
import random

import pytest
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from attention.pocket.tokenizer import build_tokenizer
from attention.runs.tokens import SUBSTITUTE, Grid, Token, cell_box, language_groups, spans, token_texts


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


def texts_of(tokenizer, ids):
    special = set(tokenizer.all_special_ids)
    return token_texts(ids, lambda part: tokenizer.decode(part, skip_special_tokens=False), special.__contains__)


@pytest.mark.parametrize(
    "text",
    [
        "what color is the star?", "你好,世界", "a🙂b👩‍👩‍👧c", "naïve café — ok",
        "line\nbreak  two  spaces\t", "<b>${x}</b> {{y}}", "नमस्ते", "🇩🇪",
        "<|im_start|>user\nred<|im_end|>\n",
    ],
)  # fmt: skip
def test_texts_joined_are_the_text(tokenizer, text):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    texts = texts_of(tokenizer, ids)
    assert len(texts) == len(ids)
    assert "".join(part for part, _ in texts) == tokenizer.decode(ids, skip_special_tokens=False) == text


def test_a_sign_of_several_tokens_stands_whole_on_its_first(tokenizer):
    ids = tokenizer("a🙂b", add_special_tokens=False)["input_ids"]
    texts = texts_of(tokenizer, ids)
    assert [text for text, _ in texts if text] == ["a", "🙂", "b"]
    first = next(i for i, (text, _) in enumerate(texts) if text == "🙂")
    rest = [part_of for text, part_of in texts if not text]
    assert rest and set(rest) == {first}
    assert all(part_of is None for text, part_of in texts if text)


def test_a_word_after_a_sign_of_bytes_keeps_its_space():
    """As with Llama 2: decoding drops the space that begins a text, and an unknown sign is written byte by byte."""
    words = ["<0xF0>", "<0x9F>", "<0x90>", "<0xB1>", "▁A", "▁sat"]
    backend = Tokenizer(models.BPE({word: index for index, word in enumerate(words)}, []))
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, clean_up_tokenization_spaces=False)
    for ids in ([4, 0, 1, 2, 3, 5], [0, 1, 2, 3, 5, 5], [4, 5, 0, 1, 2, 3, 4]):
        assert "".join(text for text, _ in texts_of(tokenizer, ids)) == tokenizer.decode(ids)
    assert [text for text, _ in texts_of(tokenizer, [4, 0, 1, 5])] == ["A", SUBSTITUTE, SUBSTITUTE, " sat"]


def test_broken_bytes_are_never_shown_as_the_replacement_character(tokenizer):
    rng = random.Random(0)
    for _ in range(50):
        ids = [rng.randrange(256) for _ in range(30)]
        texts = texts_of(tokenizer, ids)
        assert len(texts) == len(ids)
        assert "\ufffd" not in "".join(text for text, _ in texts)
    lone = tokenizer("你", add_special_tokens=False)["input_ids"][:1]
    assert texts_of(tokenizer, lone) == [(SUBSTITUTE, None)]


def test_every_token_is_in_exactly_one_group():
    grids = [Grid(0, "language", "whole", (0, 0, 64, 32), 1, 2), Grid(1, "language", "whole", (0, 0, 32, 32), 1, 1)]
    roles = [
        "special",
        "system",
        "image",
        "image",
        "prompt",
        "image",
        "prompt",
        "special",
        "thinking",
        "answer",
        "answer",
    ]
    cells = {2: (0, 0, 0), 3: (0, 0, 1), 5: (1, 0, 0)}
    records = [Token(i, i, "x", role, *cells.get(i, (None, None, None))) for i, role in enumerate(roles)]
    groups = language_groups(records, grids)
    names = [group["name"] for group in groups]
    assert names == ["system", "prompt", "image 1", "image 2", "thinking", "answer", "special", "sink"]
    members = [i for group in groups if group["spans"] for start, stop in group["spans"] for i in range(start, stop)]
    assert sorted(members) == list(range(len(roles)))
    assert groups[names.index("prompt")]["spans"] == [[4, 5], [6, 7]]
    assert groups[-1]["spans"] is None


def test_spans_are_half_open():
    assert spans([]) == []
    assert spans([0, 1, 2, 5, 7, 8]) == [[0, 3], [5, 6], [7, 9]]


def test_a_cell_box_is_its_share_of_the_grids_box():
    grid = {"box_px": [10, 20, 110, 80], "rows": 3, "cols": 4}
    assert cell_box(grid, 0, 0) == (10, 20, 35, 40)
    assert cell_box(grid, 2, 3) == (85, 60, 110, 80)


def test_cells_that_are_not_equal_say_where_they_lie():
    grid = Grid.between(0, "language", "whole", [20.0, 40.0, 80.0], [10, 17, 31, 38])
    assert (grid.rows, grid.cols, grid.box_px) == (2, 3, (10, 20, 38, 80))
    record = json.loads(json.dumps(grid.to_dict()))
    assert record["row_edges_px"] == [20, 40, 80] and record["col_edges_px"] == [10, 17, 31, 38]
    assert cell_box(record, 0, 1) == (17, 20, 31, 40) and cell_box(record, 1, 2) == (31, 40, 38, 80)
    partly = Grid.between(0, "language", "whole", [0.1, 0.2, 0.3], [0, 7, 16]).to_dict()
    assert "row_edges_px" not in partly and partly["col_edges_px"] == [0, 7, 16]  # each axis by itself
    assert cell_box(partly, 1, 1) == pytest.approx((7, 0.2, 16, 0.3))


def test_equal_cells_need_no_edges():
    grid = Grid.between(0, "language", "whole", [0, 5, 10], [0, 1 / 3, 2 / 3, 1])
    assert grid == Grid(0, "language", "whole", (0, 0, 1, 10), 2, 3)
    assert set(grid.to_dict()) == {"image", "tower", "kind", "box_px", "rows", "cols", "time_s"}
