"""Tokens found by the words that they spell, as on the page."""

import pytest

from attention.environment import EXAMPLES
from attention.errors import NotInRun
from attention.runs.run import open_run
from attention.runs.tokens import find_words


def tokens(*texts, role="prompt"):
    """Tokens of a run with these texts; None is a cell of a picture."""
    return [{"text": text or "", "grid": None if text is not None else 0, "role": role} for text in texts]


def test_words_are_found_over_several_tokens_wherever_they_stand():
    said = tokens("The", " tri", "angle", " and", " a", " Tri", "angle", ".")
    assert find_words(said, "triangle") == [1, 2, 5, 6]
    assert find_words(said, "ANGLE AND") == [2, 3] and find_words(said, "square") == [] == find_words(said, "")


def test_a_sign_of_several_tokens_is_found_whole_and_cells_are_no_words():
    said = tokens("a", "🌟", "", "", "b", None, None, "c")
    assert find_words(said, "🌟") == [1, 2, 3] and find_words(said, "b") == [4] and find_words(said, "bc") == []
    assert find_words(tokens("ΣΟΦΟΣ"), "σοφος") == [0] == find_words(tokens("İx"), "x")


def test_a_role_keeps_to_one_part():
    said = tokens("is", " it", " red", "?") + tokens("red", role="answer")
    assert find_words(said, "red") == [2, 4]
    assert find_words(said, "red", "answer") == [4] and find_words(said, "?red") == [3, 4]
    assert find_words(said, "?red", "answer") == []


def test_a_run_says_where_its_words_stand():
    with open_run(EXAMPLES / "shapes") as run:
        (place,) = run.find("red", role="answer")
        assert run.info["tokens"][place]["text"] == "red" and place == run.info["prompt_tokens"]
        assert run.map(3, 1, place - 1).shape == (7, 11)
        with pytest.raises(NotInRun, match="find takes words as a text, not 5"):
            run.find(5)
