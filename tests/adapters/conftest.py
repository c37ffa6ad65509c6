"""One tiny model in memory, and the inputs of one request: what adapters are held against plain PEFT with.

A file that needs another model gives its own `base_folder`.
"""

import pytest
from pictures import noise

from attention import Request
from attention.capture.extraction import Extraction
from attention.models import loading as models
from attention.models.kept import free
from attention.runs.partial import PartialRun


@pytest.fixture(scope="module")
def base_folder(tiny_folder):
    return tiny_folder


@pytest.fixture(scope="module")
def loaded(base_folder):
    free()
    yield models.load(base_folder, device="cpu")
    free()


@pytest.fixture(scope="module")
def inputs(base_folder, tmp_path_factory):
    request = Request(noise((96, 64)), "what color?", base_folder, device="cpu")
    with Extraction(request, PartialRun.create(tmp_path_factory.mktemp("inputs") / "run")) as extraction:
        return dict(extraction.prepared.inputs.tensors)
