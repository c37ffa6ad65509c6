"""A request's pictures and words as model inputs, made once and passed on.

Owns the refusals of what a model's processor cannot read, or would read otherwise than was asked. Needs a processor
and a config, no weight.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from attention.errors import (
    AttentionError,
    InvalidRequest,
    LimitExceeded,
    ModelUnavailable,
    UnsupportedModel,
    quoted,
    shortened,
)
from attention.families.family import Inputs, rendered
from attention.image_entries import SIZES
from attention.limits import Limits
from attention.request import Request

from .images import Pictures
from .opened_video import Stop
from .videos import Sampled, sampled_videos

PLAIN_SIZE = (256, 224)  # of a picture that every processor reads


@dataclass
class Prepared:
    """Model inputs, the opened pictures that they were made from, and notes on how both were read.

    `visual_tokens` are of each picture the number of tokens that stand for a cell of it, and the number that the
    processor's own limits would give, None where that is not known or the chat asks for another size.
    """

    inputs: Inputs
    pictures: Pictures
    notes: list[str]
    processor: Any
    limits: Limits
    visual_tokens: list[tuple[int, int | None]]
    videos: list[Sampled] = field(default_factory=list)

    @property
    def images(self) -> list[Image.Image]:
        """The pictures, RGB, and after them all frames of videos."""
        return [image for image, _ in self.pictures] + [frame for each in self.videos for frame in each.video.frames]

    def is_made_by(self, processor: Any, limits: Limits) -> bool:
        """True if these are the inputs that this processor gives within these limits."""
        return self.processor is processor and self.limits == limits


def prepare(
    request: Request, pictures: Pictures, family, processor, limits: Limits, stop: Stop | None = None
) -> Prepared:
    """A request's conversation, around its opened pictures, as model inputs.

    `stop` is called several times a second while videos are decoded, and may raise. Raises
    InvalidRequest for what the processor refuses.
    """
    images = [image for image, _ in pictures]
    notes = [note for _, image_notes in pictures for note in image_notes]
    videos = sampled_videos(request, family, processor, limits, stop)
    notes += [note for each in videos for note in each.notes]
    conversation = request.conversation()
    _check_fields(request, processor, conversation)
    _check_sizes(request, family, conversation)
    if request.pan_and_scan:
        if not family.takes_pan_and_scan:
            raise InvalidRequest(
                f"Crops of long pictures (pan & scan) are not made for {family.label}: its processor does not know "
                "them. Leave pan_and_scan (--pan-and-scan) out."
            )
        for entry in _entries(conversation):
            entry["pan_and_scan"] = True
    try:
        seen: tuple[list, ...] = (images, [each.video for each in videos]) if videos else (images,)
        inputs, limit = _within_limits(request, family, processor, conversation, seen, limits)
        own_tokens: list[int | None] = list(_visual_tokens(inputs))
        if limit is not None:
            own_tokens = list(family.own_visual_tokens(processor, conversation, *seen) or [None] * len(own_tokens))
    except ValueError as error:  # the processors refuse with sentences, e.g. an absurd aspect ratio
        _check_reads_anything(family, processor)
        raise InvalidRequest(f"The model's processor refuses this input: {error}") from None
    except ArithmeticError as error:  # sizes of nothing in its settings
        raise ModelUnavailable(
            f"The model's processor cannot work with its settings ({type(error).__name__}: {shortened(str(error))}). "
            "Take preprocessor_config.json and processor_config.json from the model's own repository."
        ) from None
    notes += _typed_notes(conversation, family, processor) + _size_notes(conversation, inputs)
    has_size = [any(name in entry for name in SIZES) for entry in _entries(conversation)]  # which the chat asks for
    has_size += [False] * (len(own_tokens) - len(has_size))
    own_tokens = [None if has else own for has, own in zip(has_size, own_tokens, strict=True)]
    tokens = list(zip(_visual_tokens(inputs), own_tokens, strict=True))
    return Prepared(inputs, pictures, notes, processor, limits, tokens, videos)


def _visual_tokens(inputs: Inputs) -> list[int]:
    """Number of tokens of each image that stand for a cell of it."""
    images = [inputs.grids[cell[0]].image for cell in inputs.cells if cell is not None]
    return [images.count(image) for image in range(len(inputs.read_sizes))]


def _entries(conversation: list[dict]) -> list[dict]:
    """The image entries of a chat."""
    return [entry for message in conversation for entry in message["content"] if entry["type"] == "image"]


def _within_limits(
    request: Request, family, processor, conversation: list[dict], seen: tuple[list, ...], limits: Limits
) -> tuple[Inputs, int | None]:
    """Model inputs in as many tokens a picture as were asked for, or as are usual here where that is enough.

    And that limit, None for the processor's own. `seen` are the pictures, and the videos where there are any.
    """
    limit, default = request.max_visual_tokens, limits.default_visual_tokens
    if limit is None and default is not None and default < family.visual_token_limit(processor):
        limit = default
    while True:
        try:
            images, *videos = seen
            return family.prepare(processor, conversation, images, limit, *videos), limit
        except LimitExceeded as error:
            if request.max_visual_tokens is not None or limit is None:
                raise
            # nobody asked for fewer tokens than the family needs
            limit = error.least if error.least is not None and error.least > limit else None


def _check_reads_anything(family, processor) -> None:
    """Raise ModelUnavailable for a processor that refuses every input: its own files are wrong."""
    content = [{"type": "image"}, {"type": "text", "text": "What is it?"}]
    try:
        family.prepare(processor, [{"role": "user", "content": content}], [Image.new("RGB", PLAIN_SIZE, "grey")], None)
    except ValueError as error:
        raise ModelUnavailable(
            f"The model's processor refuses every picture: {shortened(str(error), 200)} Its files (preprocessor_config"
            ".json, processor_config.json, chat_template.jinja) contradict each other; take them from the model's own "
            "repository."
        ) from None
    except AttentionError:
        return


def _check_fields(request: Request, processor, conversation: list[dict]) -> None:
    """Raise InvalidRequest for fields of a chat that this model's template writes, and that are not read here."""
    more = sorted(
        {
            str(name)
            for message, read in zip(request.messages or (), conversation, strict=False)
            for part, read_part in zip((message, *message["content"]), (read, *read["content"]), strict=True)
            for name in part
            if name not in read_part
        }
    )
    if more and rendered(processor, request.messages or []) != rendered(processor, conversation):
        raise InvalidRequest(
            f"The messages have {shortened(', '.join(more))}, which the model's chat template would write and which is "
            "not read here. Remove it, or put it into the content."
        )


def _check_sizes(request: Request, family, conversation: list[dict]) -> None:
    """Raise InvalidRequest for a size of an image entry that this model's processor does not take."""
    asked = [name for message in conversation for entry in message["content"] for name in SIZES if name in entry]
    if asked and not family.takes_entry_sizes:
        raise InvalidRequest(
            f"{asked[0]} of an image entry is not read by {family.label}. Remove it, and set the tokens of a picture "
            "with max_visual_tokens (--max-visual-tokens)."
        )
    if asked and request.max_visual_tokens is not None:
        raise InvalidRequest(f"An image entry has {asked[0]}, and max_visual_tokens is given too. Leave one out.")


def _typed_notes(conversation: list[dict], family, processor) -> list[str]:
    """A note on control tokens of the model that somebody typed."""
    texts = [entry["text"] for message in conversation for entry in message["content"] if entry["type"] == "text"]
    typed = [word for word in family.reserved_texts(processor) if any(word in text for text in texts)]
    if not typed:
        return []
    pictures = {getattr(part, "image_token", None) for part in (processor, processor.tokenizer)} & set(typed)
    return [
        f"{shortened(', '.join(typed))} in the prompt is read as text, as typed, not as the model's control token."
        + (" Pictures are put into the conversation by themselves." if pictures else "")
    ]


def _size_notes(conversation: list[dict], inputs: Inputs) -> list[str]:
    """Notes on pictures that the processor, by its own limits, reads in another size than their entries ask."""
    notes = []
    for number, (entry, (width, height)) in enumerate(zip(_entries(conversation), inputs.read_sizes, strict=False), 1):
        area, asked = width * height, [name for name in SIZES if name in entry]
        if len(asked) == 1 and not entry.get("min_pixels", area) <= area <= entry.get("max_pixels", area):
            other = "max_pixels" if asked == ["min_pixels"] else "min_pixels"
            notes.append(
                f"Image {number} is read at {width}x{height} = {area:,} pixels, although its {asked[0]} are "
                f"{entry[asked[0]]:,}: the model's processor has a limit of its own. Give {other} too."
            )
    return notes


def check_image_tokens(config, inputs: Inputs) -> None:
    """Raise UnsupportedModel where the tokenizer writes pictures with other tokens than the model looks for."""
    is_frame = [cell is not None and inputs.grids[cell[0]].kind == "frame" for cell in inputs.cells]
    for names, of_frames in (
        (("image_token_id", "image_token_index"), False),
        (("video_token_id", "image_token_id"), True),
    ):
        _check_written(config, inputs, names, [frame == of_frames for frame in is_frame])


def _check_written(config, inputs: Inputs, names: tuple[str, ...], is_meant: list[bool]) -> None:
    each = zip(inputs.ids, inputs.cells, is_meant, strict=True)
    written = {token for token, cell, meant in each if cell is not None and meant}
    name = next((name for name in names if hasattr(config, name)), None)
    if name and written - {getattr(config, name)}:
        raise UnsupportedModel(
            f"The tokenizer of this model writes a picture as token {min(written)}, and config.json has {name} "
            f"{quoted(getattr(config, name))}, so the model would not find its pictures. Take config.json and the "
            "tokenizer's files (tokenizer.json, tokenizer_config.json) from the model's own repository."
        )
