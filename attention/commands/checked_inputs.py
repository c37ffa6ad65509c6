"""Pictures and adapters that flags name: looked at, and found, before a model is loaded for them."""

from __future__ import annotations

from .progress import ReportedRun


def check_images(images) -> None:
    """Refuse a broken picture before a model is loaded, or downloaded, for it."""
    from attention.capture.images import open_image

    for image in images:
        open_image(image)


def chosen(options, wanted: list[str], partial: ReportedRun) -> list:
    """The adapters that are asked for, checked and here."""
    from adapters.catalog import split_scale
    from adapters.choosing import choose
    from attention.capture.forecast import download_reporter
    from attention.models.offered import default_model

    asked = [split_scale(text) for text in wanted]
    return choose(
        [as_asked(options, name, scale) for name, scale in asked],
        options.model or default_model(), options.model_type, watch=download_reporter(partial),
    )  # fmt: skip


def as_asked(options, name: str, scale: float | None) -> dict:
    """An adapter as `choose` takes it."""
    return {"id": name, "scale": scale, "rename": options.adapter_rename, "alone": options.adapter_alone}
