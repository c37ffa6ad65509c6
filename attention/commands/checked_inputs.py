"""Pictures, answers and adapters that flags name: looked at, and found, before a model is loaded for them."""

from __future__ import annotations

from pathlib import Path

from attention.errors import InvalidRequest, LimitExceeded, shortened, shown_path
from attention.limits import MAX_ANSWER_FILE_BYTES
from attention.served_answer import answer_of

from .progress import ReportedRun


def check_images(images) -> None:
    """Refuse a broken picture before a model is loaded, or downloaded, for it."""
    from attention.capture.images import open_image

    for image in images:
        open_image(image)


def read_answer(file: str) -> str:
    """The answer in a file, as `attention.served_answer` reads it. Raises InvalidRequest or LimitExceeded."""
    path = Path(file)
    try:
        if path.stat().st_size > MAX_ANSWER_FILE_BYTES:
            raise LimitExceeded(
                f"{shown_path(path)} has {path.stat().st_size:,} bytes; an answer's file may have "
                f"{MAX_ANSWER_FILE_BYTES:,}."
            )
        text = path.read_bytes().decode("utf-8")
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise InvalidRequest(f"{shown_path(path)} is not written in UTF-8. Save it in that encoding.") from None
        why = getattr(error, "strerror", None) or error
        raise InvalidRequest(f"{shown_path(path)} cannot be read: {why}.") from None
    answer = answer_of(text, shortened(path.name))
    if not answer:
        raise InvalidRequest(f"{shown_path(path)} is empty: it holds no answer.")
    return answer


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


def chosen_members(options, partial: ReportedRun | None = None) -> list:
    """The adapters and whole models that are to be compared, each taken for what its files say, checked and here.

    A download is told to the run, where there is one.
    """
    from adapters.catalog import split_scale
    from adapters.choosing import choose_members
    from attention.capture.forecast import download_reporter
    from attention.comparisons.other_models import split_dtype
    from attention.models.offered import default_model

    asked = [split_scale(text) for text in options.adapter]
    models = [split_dtype(text) for text in vars(options)["with"]]
    return choose_members(
        [
            *(as_asked(options, name, scale) for name, scale in asked),
            *({"model": model.id, "dtype": model.dtype} for model in models),
        ],
        options.model or default_model(), options.model_type, watch=download_reporter(partial) if partial else None,
    )  # fmt: skip


def as_asked(options, name: str, scale: float | None) -> dict:
    """An adapter as `choose` takes it."""
    return {"id": name, "scale": scale, "rename": options.adapter_rename, "alone": options.adapter_alone}
