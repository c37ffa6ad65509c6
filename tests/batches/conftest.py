"""Summaries are NPZ here, also where pyarrow is installed: what each test expects is the same everywhere."""

import pytest


@pytest.fixture(autouse=True, scope="package")
def without_pyarrow():
    from attention.batches import summary

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(summary, "has_pyarrow", lambda: False)
        yield
