"""A forecast of an export is what is then written, and what is too large is refused before anything is."""

import pytest
from made_runs import scene, write_run

from attention import open_run
from attention.errors import LimitExceeded
from attention.exports.export import export
from attention.exports.folder_zip import packed
from attention.exports.forecast import check_export, export_bytes, layer_bytes
from attention.exports.wanted import Wanted
from attention.visitors.files import bytes_of


@pytest.fixture
def run(tmp_path):
    folder = write_run(tmp_path / "run", [scene(100, 61)], [(3, 7)], layers=(0, 2, 3), vision=True, prompt="?")
    with open_run(folder) as run:
        yield run


@pytest.mark.parametrize(
    "kind, fields",
    [("dense", {}), ("dense", {"layer": 2}), ("dense", {"tower": "vision"}), ("bin", {}), ("zip", {})],
)
def test_a_forecast_is_what_is_written_but_for_headers(run, tmp_path, kind, fields):
    expected = export_bytes(run, kind, Wanted.read(fields))
    written = bytes_of(export(run, kind, tmp_path / "out", **fields))
    assert expected <= written <= expected + 20_000, "headers, tokens' texts, a small picture"


def test_what_is_too_large_is_refused_with_numbers_and_what_would_do(run):
    run.queries = run.keys = lambda tower="language": 8192
    run.heads = lambda tower="language": 16
    one = layer_bytes(run, "language")
    assert one == 2 * 16 * 8192**2
    assert check_export(run, "dense", Wanted.read({}), 3 * one) == 3 * one
    with pytest.raises(LimitExceeded, match=r"has 6,442 MB; the limit here is 2,500 MB\. Instead, give one layer, of "
                       r"2,147 MB, with format dense, or take npz, .* or take the run itself as a zip of"):  # fmt: skip
        check_export(run, "dense", Wanted.read({}), 2_500_000_000)
    with pytest.raises(LimitExceeded, match=r"has 2,147 MB; .* Instead, take npz"):
        check_export(run, "dense", Wanted.read({"layer": 2}), 500_000_000)
    for kind, said in (("zip", r"\.\.\./export\?format=zip"), ("html", "ask for fewer megabytes")):
        with pytest.raises(LimitExceeded, match=said):
            check_export(run, kind, Wanted.read({}), 1)
    for nothing in ({"tower": "babel"}, {"layer": "mean"}):
        assert check_export(run, "dense", Wanted.read(nothing), 1) == 0, "it is refused in other words"
    assert check_export(run, "png", Wanted.read({}), 1) == 0


def test_a_folder_becomes_a_zip_and_is_not_there_twice(run, tmp_path):
    folder = export(run, "dense", tmp_path / "out")
    n_bytes = bytes_of(folder)
    archive = packed(folder)
    assert archive == tmp_path / "out.zip" and not folder.exists()
    assert n_bytes < bytes_of(archive) < n_bytes + 5_000
