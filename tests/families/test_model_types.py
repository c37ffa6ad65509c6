"""Every image-text model type of transformers is read or refused with a reason, and the table of the README says so.

`python tests/families/test_model_types.py` writes that table again, and keeps what its last column has.
"""

import re
from pathlib import Path

import pytest
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from attention import families
from attention.errors import UnsupportedModel
from attention.families.refused import NO_FILE_YET, REASONS, TORCHVISION, reason
from attention.families.table import model_types

README = Path(__file__).parents[2] / "attention/families/README.md"
HEAD = "| model type | family | run on published weights: version, date |\n| --- | --- | --- |\n"


def written() -> dict[str, tuple[str, str]]:
    """The rows of the README's table: {model type: (family or reason, what was run)}."""
    _, _, rows = README.read_text(encoding="utf-8").partition(HEAD)
    return {name: (said, run) for name, said, run in re.findall(r"^\| `([^`]+)` \| (.*?) \| ?(.*?) ?\|$", rows, re.M)}


def test_the_readmes_table_is_that_of_the_installed_transformers():
    said = {each.name: each.said for each in model_types()}
    assert {name: row[0] for name, row in written().items()} == said, "python tests/families/test_model_types.py"


def test_what_was_run_on_published_weights_has_a_version_and_a_date():
    for name, (_, run) in written().items():
        assert not run or re.fullmatch(r"\d+\.\d+\S*, \d{4}-\d\d-\d\d", run), name


def test_every_family_is_of_a_type_that_transformers_has_and_no_reason_is_left_over():
    types = {name.replace("-", "_") for name in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES}
    assert set(families.names()) <= types
    refused = [name for names in REASONS.values() for name in names]
    assert len(refused) == len(set(refused)) and set(refused) <= set(MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES)
    assert not {name.replace("-", "_") for name in refused} & set(families.names()), "supported, and yet refused"


@pytest.mark.parametrize(
    "model_type, why",
    [("gemma3n", "needs timm"), ("molmo2", TORCHVISION), ("blip-2", "resampler"), ("t5gemma2", "decoder")],
)
def test_a_refused_type_is_refused_with_its_reason(model_type, why):
    with pytest.raises(UnsupportedModel, match=f"'{model_type}' is not supported: .*{why}.*; supported: "):
        families.find(model_type)


def test_a_type_of_which_nothing_is_known_has_no_file_yet():
    assert reason("brand_new_vl") == NO_FILE_YET
    with pytest.raises(
        UnsupportedModel, match=r"'brand_new_vl' is not supported; supported: .* A new family is one file"
    ):
        families.find("brand_new_vl")


def write() -> None:
    text, before = README.read_text(encoding="utf-8").partition(HEAD)[0], written()
    rows = [f"| `{each.name}` | {each.said} | {before.get(each.name, ('', ''))[1]} |\n" for each in model_types()]
    README.write_text(text + HEAD + "".join(rows).replace("|  |", "| |"), encoding="utf-8")


if __name__ == "__main__":
    write()
