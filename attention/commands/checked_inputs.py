"""Pictures, answers and adapters that flags name: looked at, and found, before a model is loaded for them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from attention.errors import InvalidRequest, IsWholeModel, LimitExceeded, shortened, shown_path
from attention.limits import MAX_ANSWER_FILE_BYTES
from attention.request import Request
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


def taken_for_what_they_are(options, request: Request, partial: ReportedRun) -> Request:
    """A request whose model is a model, and whose adapter an adapter: one that was named as the other changes places.

    The options' `adapter` changes with it. Raises InvalidRequest where that would be two of one kind.
    """
    from adapters.catalog import find_adapter, split_scale
    from attention.capture.forecast import download_reporter
    from attention.models.download import base_of_adapter
    from attention.models.offered import default_model

    watch = download_reporter(partial)
    several = isinstance(options.adapter, list)
    base = base_of_adapter(request.model, watch) if request.model else None
    if base is not None:
        if options.adapter and not several:
            raise InvalidRequest(
                f"{shortened(str(request.model))} is an adapter, and so is {shortened(options.adapter)}: a run has "
                "one. Name the base with --model, or use `compare`."
            )
        name = str(Path(request.model or "").resolve()) if Path(request.model or "").is_dir() else request.model
        partial.progress.say(f"{request.model} is an adapter: it is put on its base, {base}.")
        options.adapter = [*options.adapter, name] if several else name  # last: --words names the others by number
        options.model = base
        return dataclasses.replace(request, model=base)
    if several or not options.adapter:
        return request
    try:
        name, _ = split_scale(options.adapter)
        find_adapter(name, request.model or default_model(), watch=watch)
    except IsWholeModel:
        if request.model:
            raise
        partial.progress.say(f"{options.adapter} is a whole model: it is run by itself.")
        model, options.adapter = options.adapter, None
        return dataclasses.replace(request, model=model)
    return request


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
