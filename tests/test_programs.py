"""Tests that need Node, Chromium or nginx are skipped without them, and fail in CI."""

import programs
import pytest
from programs import PROGRAMS, require

ENDS = {"": pytest.skip.Exception, "true": pytest.fail.Exception}


@pytest.mark.parametrize("mark", PROGRAMS)
@pytest.mark.parametrize("ci", ENDS)
def test_without_its_program_a_test_is_skipped_and_fails_in_ci(mark, ci, monkeypatch, tmp_path):
    names, variable = PROGRAMS[mark]
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "MORE_PLACES", ())
    monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("CI", ci)
    with pytest.raises(ENDS[ci], match=f"{names[0]}.* is not installed; {variable}"):
        require(mark)
    monkeypatch.setenv(variable, "/somewhere/else")
    assert require(mark) == "/somewhere/else"
