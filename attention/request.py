"""A request for a run: every input with its default, and the checks that need no model.

Knows how to check what can be checked without a model. Knows no processor, no Gradio and no file layout.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from attention.coordinates import AUTO, check_coordinates
from attention.errors import InvalidRequest, LimitExceeded, quoted
from attention.fields import row, rows
from attention.image_entries import SIZES, TYPES, picture_of
from attention.limits import MAX_ADAPTER_SCALE, MAX_VISUAL_TOKENS, Limits
from attention.picture_arrays import is_array, picture_of_array
from attention.video_entries import SETTINGS, TYPE, as_sources, checked_settings, gather_videos, resolved

MODES = ("prefill", "generate")
CHAT_ROLES = ("system", "user", "assistant")
QUESTION, ANSWER, READING, MODEL, ADAPTER = "question", "answer", "reading", "model", "adapter"  # groups of its fields


@dataclass(frozen=True)
class Request:
    """The inputs of one run.

    `images` are paths, data: URLs, Pillow images or arrays (NumPy's rows x cols x channels, a tensor's channels x rows
    x cols), in the order in which the conversation names them. `prompt` and
    `system` make a conversation of one turn; `messages` gives a whole one instead, in role/content form: an image entry
    {"type": "image"} takes the next of `images`, or names its own as {"type": "image", "image": path or Pillow
    image}, with min_pixels and max_pixels where the model's processor has them. `answer` forces the answer's text and
    implies generate. `vision` None keeps the vision tower. `adapter` is the name of what an adapted model carries; with
    `adapter_rename` its keys may have the names of another layout, with `adapter_alone` other trained weights that lie
    beside it are left out. `pan_and_scan` asks for crops of long pictures too, where the model's processor makes them
    (Gemma 3). `coordinates` says how the numbers of places in the answer count: see `attention.coordinates`.

    `videos` are likewise for entries {"type": "video"}: each a file, a folder of frames, or a list of frames, which are
    what `images` may be. `fps` and `max_frames` say what is read of them, where an entry does not say so itself; of
    frames, all are read, and `fps` is how many a second there are.
    """

    images: tuple[Any, ...] = row((), tuple, "picture file; several are read in this order", "FILE", QUESTION)
    prompt: str = row("", str, "question or instruction", "TEXT", QUESTION)
    model: str | None = row(
        None, str, "model folder, Hub id (owner/name), or a name that `models` lists (default: the first of these)",
        "ID", MODEL,
    )  # fmt: skip
    model_type: str | None = row(
        None, str, "model family, where the model type in config.json is not a known one, as qwen3_vl", "FAMILY", MODEL
    )
    mode: str = row(
        "prefill", str,
        "prefill: read the prompt alone; generate: write an answer, and read both (default: prefill)",
        "prefill|generate", ANSWER,
    )  # fmt: skip
    max_new_tokens: int = row(256, int, "max. tokens of the answer (default: 256)", "N", ANSWER)
    answer: str | None = row(
        None, str, "forced answer: read this text instead of the model's own (implies mode generate)", "TEXT", ANSWER
    )
    system: str | None = row(None, str, "system prompt", "TEXT", QUESTION)
    messages: list[dict[str, Any]] | None = row(
        None, list, "whole chat in role/content form, instead of prompt and system", "FILE.json", QUESTION
    )
    vision: bool | None = row(
        None, bool, "record the attention of the vision tower too, or skip it (default: record)", None, READING
    )
    max_visual_tokens: int | None = row(
        None, int, "max. visual tokens per image (default: the model's own; on a CPU or a Space 1,024)", "N", READING
    )
    device: str = row(
        "auto", str, "where the model runs; auto is a CUDA device if one works, else the CPU (default: auto)",
        "auto|cuda[:N]|cpu|mps", MODEL,
    )  # fmt: skip
    dtype: str = row(
        "auto", str, "number format of the weights; auto is float32 on a CPU, else the published one (default: auto)",
        "auto|float32|bfloat16|float16", MODEL,
    )  # fmt: skip
    adapter: str | None = row(
        None, str, "LoRA adapter: a folder, a Hub id, or a name that `adapters` lists", "ADAPTER", ADAPTER
    )
    adapter_scale: float = row(1.0, float, "adapter strength, from 0 to 1.5 (default: 1)", "S", ADAPTER)
    adapter_rename: bool = row(
        False, bool, "rename adapter weights saved by older transformers versions", None, ADAPTER
    )
    adapter_alone: bool = row(
        False, bool, "use the LoRA weights alone, without other trained weights saved beside them", None, ADAPTER
    )
    pan_and_scan: bool = row(False, bool, "read crops of long pictures too (pan & scan; Gemma 3)", None, READING)
    coordinates: str = row(
        AUTO, str,
        "how numbers of places in the answer count: 0-1 or 0-1000 of the sides; read: pixels as the model saw the "
        "picture; original: pixels of the picture; auto: as answer, prompt or family say (default: auto)",
        "auto|0-1|0-1000|read|original", ANSWER,
    )  # fmt: skip

    videos: tuple[Any, ...] = row(
        (), tuple, "video file, folder of frames, or several pictures: the frames of one video", "FILE", QUESTION
    )
    fps: float | None = row(
        None, float,
        "frames per second that are read of a video; of frames: that there are (default: the model's own, else 2)",
        "N", READING,
    )  # fmt: skip
    max_frames: int | None = row(
        None, int, "max. frames of a video (default: the model's own; on a CPU or a Space 16)", "N", READING
    )

    def __post_init__(self) -> None:
        images: Any = self.images
        videos = as_sources(self.videos)
        if isinstance(images, str | os.PathLike | Image.Image) or is_array(images):
            images = (images,)
        images = [
            picture_of_array(each, f"Image {number}") if is_array(each) else each
            for number, each in enumerate(images or (), 1)
        ]
        if self.messages is not None:
            messages, gathered = gather_images(self.messages, images)
            images = tuple(gathered)
            messages, videos = gather_videos(messages, videos)
            object.__setattr__(self, "messages", messages)
        object.__setattr__(self, "images", tuple(images))
        object.__setattr__(self, "videos", videos)
        if self.answer is not None:
            object.__setattr__(self, "mode", "generate")
        object.__setattr__(self, "adapter", self.adapter or None)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as it crosses a process border; images are paths or data: URLs."""
        record = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        frames = [frame for video in self.videos if isinstance(video, tuple) for frame in video]
        if any(isinstance(image, Image.Image) for image in (*self.images, *frames)):
            raise InvalidRequest("Only images that are files can be sent to another process.")
        videos = [[str(each) for each in video] if isinstance(video, tuple) else str(video) for video in self.videos]
        return {**record, "images": [str(image) for image in self.images], "videos": videos}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Request:
        """A request from plain data. Raises InvalidRequest for a field that does not exist."""
        unknown = set(record) - {field.name for field in dataclasses.fields(cls)}
        if unknown:
            raise InvalidRequest(f"A request has no field {', '.join(sorted(unknown))}.")
        return cls(**record)

    def validate(self, limits: Limits | None = None) -> None:
        """Check everything that needs no model. Raises InvalidRequest or LimitExceeded."""
        limits = limits or Limits()
        for name in ("prompt", "model", "model_type", "mode", "answer", "system", "device", "dtype", "adapter"):
            value = getattr(self, name)
            if not isinstance(value, str) and not (value is None and name not in ("prompt", "mode", "device", "dtype")):
                raise InvalidRequest(f"{name} is a text, not {quoted(value)}.")
        if self.mode not in MODES:
            raise InvalidRequest(f"Mode {quoted(self.mode)} is unknown. Use prefill (the prompt alone) or generate.")
        _check_count("max_new_tokens", self.max_new_tokens, 1, limits.new_tokens)
        if self.max_visual_tokens is not None:
            _check_count("max_visual_tokens", self.max_visual_tokens, 4, MAX_VISUAL_TOKENS)
        scale = self.adapter_scale
        if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 <= scale <= MAX_ADAPTER_SCALE:
            raise InvalidRequest(
                f"The adapter's strength is {quoted(scale)}; it is a number from 0 to {MAX_ADAPTER_SCALE}."
            )
        check_coordinates(self.coordinates)
        if self.vision not in (None, True, False):
            raise InvalidRequest(f"vision is true or false, not {quoted(self.vision)}.")
        if self.answer is not None and not self.answer:
            raise InvalidRequest("The forced answer is empty. Give a text, or leave it out.")
        if len(self.images) > limits.images:
            raise LimitExceeded(f"{len(self.images)} images were given; the limit is {limits.images}.")
        if len(self.videos) > limits.videos:
            raise LimitExceeded(f"{len(self.videos)} videos were given; the limit is {limits.videos}.")
        checked_settings({"fps": self.fps, "max_frames": self.max_frames}, "The request has")
        texts = [text for message in self.conversation() for text in _texts(message)]
        if not any(
            text.strip() for message in self.conversation() if message["role"] == "user" for text in _texts(message)
        ):
            raise InvalidRequest("The prompt is empty. Type a question or an instruction.")
        for text in (*texts, self.answer or ""):
            _check_whole(text)
        length = sum(map(len, texts)) + len(self.answer or "")
        if length > limits.prompt_characters:
            raise LimitExceeded(f"The prompt has {length:,} characters; the limit is {limits.prompt_characters:,}.")

    def conversation(self) -> list[dict[str, Any]]:
        """The chat in role/content form, contents as lists of text and image entries, and no more than is read."""
        if self.messages is not None:
            return [
                {"role": message["role"], "content": [_read_part(entry) for entry in message["content"]]}
                for message in self.messages
            ]
        pictures = [{"type": "image"} for _ in self.images] + [{"type": TYPE} for _ in self.videos]
        content = [*pictures, {"type": "text", "text": self.prompt}]
        system = [{"role": "system", "content": [{"type": "text", "text": self.system}]}] if self.system else []
        return [*system, {"role": "user", "content": content}]


FIELDS = rows(Request)


def gather_images(
    messages: Any, images: list[Any], folder: Path | None = None
) -> tuple[list[dict[str, Any]], list[Any]]:
    """Messages with image entries emptied but for their size, and all images in the order of those entries.

    An entry that names an image keeps it (a relative path starts at `folder`); one that does not takes the next of
    `images`. Entries of videos keep theirs, for `gather_videos`. Other fields of messages and texts stay: whether they
    change what is said, the model's chat template knows. Raises InvalidRequest for anything that is not such a chat,
    and for images that no entry takes.
    """
    if isinstance(messages, dict) and "messages" in messages:
        raise InvalidRequest(
            f"The chat is an object with {quoted(', '.join(map(str, messages)))}; give the list of its messages alone."
        )
    if not isinstance(messages, list) or not messages:
        raise InvalidRequest('messages is a list such as [{"role": "user", "content": "..."}], not empty.')
    given, taken, result = iter(images), [], []
    for number, message in enumerate(messages, 1):
        if not isinstance(message, dict):
            raise InvalidRequest(f"Message {number} is {quoted(message)}; it must have a role and a content.")
        if message.get("role") not in CHAT_ROLES:
            raise InvalidRequest(
                f"Message {number} has the role {quoted(message.get('role'))}; it needs a role of "
                f"{', '.join(CHAT_ROLES)}."
            )
        content = message.get("content")
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        if not isinstance(content, list):
            raise InvalidRequest(
                f"Message {number} has the content {quoted(content)}; it must be a text, or a list of text, "
                "image and video entries."
            )
        entries = []
        for entry in content:
            kind = entry.get("type") if isinstance(entry, dict) else None
            if kind == "text" and isinstance(entry.get("text"), str):
                entries.append(_said(entry))
            elif kind in TYPES:
                image, sizes = picture_of(entry, f"Message {number}", folder)
                if image is None:
                    image = next(given, None)
                    if image is None:
                        raise InvalidRequest(f"Message {number} has an image entry for which no image was given.")
                taken.append(image)
                entries.append({"type": "image", **sizes})
            elif kind == TYPE:
                entries.append(resolved(entry, f"Message {number}", folder))
            elif kind == "text":
                raise InvalidRequest(
                    f"Message {number} has a text entry {quoted(entry)}; a text entry is "
                    '{"type": "text", "text": "..."}.'
                )
            elif kind is None:
                raise InvalidRequest(
                    f"Message {number} has an entry without a type, {quoted(entry)}; a text is "
                    '{"type": "text", "text": "..."}.'
                )
            else:
                raise InvalidRequest(
                    f"Message {number} has an entry of type {quoted(kind)}; use text, image and video."
                )
        result.append({**_said(message), "content": entries})
    if result[-1]["role"] != "user":
        raise InvalidRequest(
            f"The last message is the {result[-1]['role']}'s; the answer follows a user's. Use answer to force one."
        )
    left = len(list(given))
    if left:
        raise InvalidRequest(f"{left} of the images given are taken by no image entry of the messages.")
    return result, taken


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that say something: null says nothing, as in transformers."""
    return {name: value for name, value in fields.items() if value is not None}


def _read_part(entry: dict[str, Any]) -> dict[str, Any]:
    fields = {"text": ("text",), TYPE: SETTINGS}.get(entry["type"], SIZES)
    return {name: entry[name] for name in ("type", *fields) if name in entry}


def _texts(message: dict[str, Any]) -> list[str]:
    return [entry["text"] for entry in message["content"] if entry["type"] == "text"]


def _check_whole(text: str) -> None:
    """Raise InvalidRequest for half a character, as text has that was cut in UTF-16: no tokenizer reads it."""
    half = next((index for index, sign in enumerate(text) if "\ud800" <= sign <= "\udfff"), None)
    if half is not None:
        raise InvalidRequest(
            f"The text has half a character, {quoted(text[half])}, after {quoted(text[max(half - 20, 0) : half])}: a "
            "surrogate without its other half. Remove it, or copy the text again."
        )


def _check_count(name: str, value: Any, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequest(f"{name} is a whole number, not {quoted(value)}.")
    if not low <= value <= high:
        raise InvalidRequest(f"{name} is {quoted(value)}; it must be from {low} to {high:,}.")
