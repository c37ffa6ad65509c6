"""A model family: what it must answer so that its attention can be captured and put in the right place.

A family knows its processor's output and its modules. It knows neither runs nor files nor Gradio. Everything it
says about tokens and grids it takes from what the processor returned, never from the size of the original picture.
"""

from __future__ import annotations

import copy
import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from jinja2 import TemplateError
from PIL import Image
from tokenizers import normalizers
from transformers import AutoImageProcessor, AutoTokenizer
from transformers.video_utils import VideoMetadata

from attention.errors import InvalidRequest, UnsupportedModel
from attention.runs.token_spans import Span, TokensOf, count, places
from attention.runs.tokens import Grid

from . import conversation
from .cells import Cell
from .towers import TowerShape, UnreadTower
from .videos import Video, arrays, metadata


@dataclass
class Inputs:
    """One sequence, ready for the model, and what its tokens are.

    `tensors` as the model takes them (batch of 1, on the CPU); `roles` one per token; `cells` one (grid, row, col)
    or None per token; `grids` of all towers; `keys` of every tower but the language tower: one (grid, row, col), or
    None (a class token, padding that the model reads), per key, in the order in which its attention is called
    (batch by batch, call by call); `read_sizes` (width, height) at which each image was read; `lengths`, of a tower
    that reads pictures padded to one length, how many keys of each come before the padding, which nothing reads: `keys`
    has those alone.

    A model with an encoder reads `input_ids` there and answers in `decoder_input_ids`: the tokens of the sequence are
    both, one after the other. `query_tokens` and `key_tokens` {tower: spans} say which tokens a tower's queries and
    keys are, where these are some of the tokens. `token_images` {token: image} are tokens that a resampler makes of a
    picture: each stands for all of it, and for no cell.
    """

    tensors: dict[str, torch.Tensor]
    roles: list[str]
    cells: list[Cell | None]
    grids: list[Grid] = field(default_factory=list)
    keys: dict[str, list[Cell | None]] = field(default_factory=dict)
    read_sizes: list[tuple[int, int]] = field(default_factory=list)
    lengths: dict[str, list[int]] = field(default_factory=dict)
    query_tokens: dict[str, list[Span]] = field(default_factory=dict)
    key_tokens: dict[str, list[Span]] = field(default_factory=dict)
    token_images: dict[int, int] = field(default_factory=dict)

    @property
    def ids(self) -> list[int]:
        return [
            token for name in dict.fromkeys(("input_ids", self.answered)) for token in self.tensors[name][0].tolist()
        ]

    @property
    def answered(self) -> str:
        """The tensor that an answer's tokens are added to."""
        return "decoder_input_ids" if "decoder_input_ids" in self.tensors else "input_ids"

    @property
    def n_encoded(self) -> int:
        """Number of tokens that an encoder reads, before the sequence in which the answer is written."""
        return len(self.ids) - self.tensors[self.answered].shape[1]

    def key_count(self, tower: str) -> int:
        """Number of keys of each layer of a tower."""
        if tower in self.key_tokens:
            return count(self.key_tokens[tower])
        return len(self.ids) if tower == "language" else len(self.keys.get(tower, ()))

    def query_count(self, tower: str) -> int:
        """Number of queries of each layer of a tower: patches of the vision tower, of all others tokens."""
        if tower in self.query_tokens:
            return count(self.query_tokens[tower])
        return self.key_count(tower) if tower == "vision" else len(self.ids)

    def cells_of(self, tower: str) -> list[Cell | None]:
        """A cell or None for each key of a tower."""
        if tower not in self.key_tokens:
            return self.cells if tower == "language" else self.keys.get(tower, [])
        return [self.cells[token] for token in places(self.key_tokens[tower])]

    def grids_of(self, tower: str) -> list[tuple[int, Grid]]:
        """The grids whose cells are keys of a tower, by their index."""
        shown = {cell[0] for cell in self.cells_of(tower) if cell is not None}
        return [(index, grid) for index, grid in enumerate(self.grids) if index in shown]

    def tokens_of(self, tower: str) -> TokensOf:
        """The tokens that a tower's queries and keys are."""
        return TokensOf(self.span_record(tower), len(self.ids))

    def span_record(self, tower: str) -> dict[str, list[list[int]]]:
        """The same as run.json has it, for those towers where it is not every token."""
        both = (("query_tokens", self.query_tokens), ("key_tokens", self.key_tokens))
        return {name: [list(span) for span in spans[tower]] for name, spans in both if tower in spans}

    def without(self, tower: str) -> Inputs:
        """The same sequence, with nothing of a tower that is not kept; the grids that stay are numbered anew."""
        stay = [index for index, grid in enumerate(self.grids) if grid.tower != tower]
        now = {then: index for index, then in enumerate(stay)}

        def renumbered(cells: list[Cell | None]) -> list[Cell | None]:
            return [cell and (now[cell[0]], *cell[1:]) for cell in cells]

        return replace(
            self,
            cells=renumbered(self.cells),
            grids=[self.grids[index] for index in stay],
            keys={name: renumbered(cells) for name, cells in self.keys.items() if name != tower},
        )


class Family(ABC):
    """One model architecture. `label` is its name for people."""

    label: str
    # Whether the processor puts an image's tokens where the template wrote a placeholder, and can say where that was.
    expands_placeholders = True
    # The space in which numbers of places in answers count, by the family's habit: see `attention.coordinates`.
    coordinates: ClassVar[str | None] = None
    # The keys of an answer's JSON after which y is written before x.
    y_first_keys: ClassVar[frozenset[str]] = frozenset()
    # The processor as this family reads it: of pictures alone, or with what else it returns.
    processor_class: Any = None
    casts_pixels = True  # whether its model takes pixel values in float32, whatever its weights are
    takes_entry_sizes = False  # whether its processor takes min_pixels and max_pixels of a picture
    takes_pan_and_scan = False  # whether its processor crops long pictures where it is asked to
    takes_videos = False  # whether videos are read; then `prepare` and `own_visual_tokens` take `videos` too
    built_with_sdpa: ClassVar[tuple[str, ...]] = ()  # configs of towers whose code knows attention by two names alone
    most_images: ClassVar[int | None] = None  # with one prompt, where its processor takes no more
    reads_text_alone = True  # whether its processor takes a conversation without a picture
    thought_signs = ("<think>", "</think>")  # control tokens around a thought of an answer
    # Tensors with one entry per token, and what an answer's tokens have in them.
    per_token: ClassVar = {"attention_mask": 1, "mm_token_type_ids": 0, "token_type_ids": 0}

    def of(self, config) -> Family:
        """The family that reads a model with this config, where one model type stands for several; else this one."""
        return self

    def __init_subclass__(cls, **more):
        """A family that has another processor than the one it is made from says anew whether that reads videos."""
        super().__init_subclass__(**more)
        if "processor_class" in vars(cls) and "takes_videos" not in vars(cls):
            cls.takes_videos = False

    @abstractmethod
    def load_processor(self, path: str) -> Any:
        """The processor of a local folder, without torchvision. It has `tokenizer`, and `apply_chat_template`."""

    def fitted(self, processor, config) -> Any:
        """A caller's own processor, a copy of it, as `load_processor` would give it: as `processor_class`, fitted."""
        processor = copy.copy(processor)
        wanted = self.processor_class
        if wanted is not None and issubclass(wanted, type(processor)):
            processor.__class__ = wanted
        self._fit(processor, config)
        return processor

    def _fit(self, processor, config) -> None:  # noqa: B027 - most families need nothing more
        """Give a processor what this family reads of it and its class does not have, by the model's config."""

    def pictures_of(self, processor, tensors: dict[str, torch.Tensor]) -> list[Image.Image]:
        """The pictures that are in model inputs, RGB, in the size in which they are read: pixel values turned back.

        Raises UnsupportedModel for a family whose processor cuts or pads pictures so that this cannot be done.
        """
        raise UnsupportedModel(
            f"{self.label} reads pictures in parts, of which they are not put together again here. Give the pictures "
            "that the inputs were made of: images=."
        )

    @abstractmethod
    def towers(self, config) -> dict[str, TowerShape]:
        """The towers of a config, `language` first."""

    def unread_towers(self, config) -> dict[str, UnreadTower]:
        """The towers of a config whose rows cannot be kept, by their names."""
        return {}

    def unread_modules(self, model: torch.nn.Module) -> list[torch.nn.Module]:
        """Modules before the text in which places read each other, of no interface; what they give is added to it."""
        return []

    @abstractmethod
    def attention_modules(self, model: torch.nn.Module) -> dict[str, dict[int, torch.nn.Module]]:
        """The modules that call the attention interface: {tower: {layer index: module}}."""

    def choosing_modules(self, model: torch.nn.Module) -> list[torch.nn.Module]:
        """The modules that choose which keys each query may read: where two score nearly the same, rounding decides."""
        return []

    def stream_modules(self, model: torch.nn.Module) -> list[torch.nn.Module]:
        """The modules of layers that mix several residual streams into what a part reads, by gates of their own."""
        return []

    def read_out(
        self, model: torch.nn.Module, layer: torch.nn.Module, given: tuple[torch.Tensor, ...], output: torch.Tensor
    ) -> torch.Tensor | None:
        """The states [batch, tokens, hidden] that the head would read if this layer were the last one.

        `given` are the layer's inputs by place, `output` what it has made of them. None where they are the final norm
        of its output.
        """
        return None

    def mixing(self, model: torch.nn.Module) -> list[torch.nn.Module]:
        """Modules that call the attention interface before the text and are of no tower: they mix places."""
        return []

    @abstractmethod
    def prepare(
        self, processor, messages: list[dict], images: list[Image.Image], max_visual_tokens: int | None
    ) -> Inputs:
        """A conversation as model inputs, ending where the answer begins.

        `messages` is a chat in role/content form, contents as lists of {"type": "text", "text"} and {"type":
        "image"}, images in the order of `images` (RGB); with `takes_entry_sizes` image entries may have min_pixels and
        max_pixels, which come before `max_visual_tokens`; with `takes_pan_and_scan` they may have pan_and_scan, true
        for crops. `max_visual_tokens` bounds the tokens of each image; None leaves the processor's limit. Raises
        LimitExceeded, with numbers, where the family cannot read a picture in so few.

        With `takes_videos` it also takes `videos`, a list of `Video`, for entries {"type": "video"}. Their frames are
        pictures too, numbered after all of `images`; those that are read together share a grid, whose tokens
        `max_visual_tokens` bounds.
        """

    @abstractmethod
    def visual_token_limit(self, processor) -> int:
        """Number of tokens that the processor gives one image at most, unless told otherwise."""

    def own_visual_tokens(
        self, processor, messages: list[dict], images: list[Image.Image]
    ) -> Sequence[int | None] | None:
        """Number of tokens that stand for a cell of each image, as the processor's own limits would have it.

        None where a family reads every picture in one size, so that no limit makes it fewer.
        """
        return None

    def sampling(self, processor) -> tuple[float | None, int | None]:
        """Frames that the processor reads of each second of a video, and at most; None where its files say nothing."""
        found = processor.video_processor
        return getattr(found, "fps", None), getattr(found, "max_frames", None) or getattr(found, "num_frames", None)

    def sample(self, processor, total: int, source_fps: float, fps: float, most: int) -> list[int]:
        """The frames that the processor reads of `total`, which follow each other `source_fps` times a second."""
        seen = VideoMetadata(total_num_frames=total, fps=source_fps)
        count = max(1, min(int(total / source_fps * fps), most, total))
        return [int(frame) for frame in processor.video_processor.sample_frames(metadata=seen, num_frames=count)]

    def frames_together(self, processor) -> int:
        """Number of frames that one token stands for."""
        return 1

    def extend(self, processor, inputs: Inputs, answer_ids: list[int]) -> Inputs:
        """The same inputs with an answer after them; the answer's roles are `answer`, `thinking` or `special`."""
        tensors, answered = dict(inputs.tensors), inputs.answered
        added = torch.tensor([answer_ids], dtype=tensors[answered].dtype)
        tensors[answered] = torch.cat([tensors[answered], added], dim=1)
        for name, value in self.per_token.items():
            if name in tensors and not inputs.n_encoded:
                more = torch.full_like(added, value, dtype=tensors[name].dtype)
                tensors[name] = torch.cat([tensors[name], more], dim=1)
        roles = self._answer_roles(processor.tokenizer, inputs, answer_ids)
        n, n_more = len(inputs.ids), len(answer_ids)

        def longer(spans: dict[str, list[Span]]) -> dict[str, list[Span]]:
            """Those that end with the sequence have the answer too."""
            return {
                tower: [(first, last + n_more * (last == n)) for first, last in each] for tower, each in spans.items()
            }

        return replace(
            inputs,
            tensors=tensors,
            roles=inputs.roles + roles,
            cells=inputs.cells + [None] * n_more,
            query_tokens=longer(inputs.query_tokens),
            key_tokens=longer(inputs.key_tokens),
        )

    def reserved_texts(self, processor) -> list[str]:
        """Texts that the tokenizer takes for control tokens. Where somebody typed one, it is read as text."""
        return [token.content for token in processor.tokenizer.added_tokens_decoder.values() if token.special]

    def control_tokens(self, tokenizer) -> set[int]:
        """The ids of tokens that are no words of a prompt or an answer."""
        return control_tokens(tokenizer)

    def text(self, tokenizer, answer_ids: list[int]) -> str:
        """An answer as it is shown: without control tokens."""
        return tokenizer.decode(answer_ids, skip_special_tokens=True)

    # What families share

    def _read(
        self, processor, messages, images, videos: Sequence[Video] = (), video_options: dict | None = None, **options
    ) -> tuple[dict[str, Any], list[str]]:
        """A conversation through the processor: the tensors (and what else it returned), and the tokens' roles.

        Roles are `system`, `prompt` and `special` so far: which tokens are an image's, the family knows. `options` are
        the image processor's, `video_options` the video processor's. Control tokens are the template's alone: those
        that somebody typed are read as text. Raises InvalidRequest where the tokenizer cannot do so.
        """
        tokenizer = processor.tokenizer
        if not tokenizer.is_fast:
            raise UnsupportedModel(
                "This model's tokenizer does not say which characters a token stands for; a tokenizer.json is needed."
            )
        messages, veils = conversation.veiled(messages, self.reserved_texts(processor))
        if veils:
            processor = copy.copy(processor)
            processor.tokenizer = _unveiling(tokenizer, veils)
        text, marks = (rendered(processor, chat) for chat in (messages, conversation.marked(messages)))
        text_options = {"return_offsets_mapping": True}
        if tokenizer.bos_token is not None and text.startswith(tokenizer.bos_token):
            text_options["add_special_tokens"] = False  # the template wrote the first token already
        batch = processor(
            text=[text],
            images=images or None,
            return_tensors="pt",
            text_kwargs=text_options,
            **({"images_kwargs": options} if images and options else {}),
            **(_video_arguments(videos, video_options) if videos else {}),
            **({"return_text_replacement_offsets": True} if self.expands_placeholders else {}),
        )
        parts = conversation.written_parts(messages, text, marks)
        replaced = batch.pop("text_replacement_offsets", None)
        replaced = replaced[0] if (images or videos) and replaced else []
        roles = conversation.token_roles(batch.pop("offset_mapping")[0].tolist(), parts, replaced)
        special = self.control_tokens(tokenizer)
        ids = batch["input_ids"][0].tolist()
        typed = next((id_ for id_, role in zip(ids, roles, strict=True) if role != "special" and id_ in special), None)
        if veils and typed is not None:
            raise InvalidRequest(
                f"The prompt contains {tokenizer.decode([typed])}, which this model's tokenizer can only read as a "
                "control token. Remove it."
            )
        return dict(batch), ["special" if token in special else role for token, role in zip(ids, roles, strict=True)]

    def _answer_roles(self, tokenizer, inputs, answer_ids) -> list[str]:
        opens, closes = (tokenizer.added_tokens_encoder.get(sign) for sign in self.thought_signs)
        said = max((i for i, role in enumerate(inputs.roles) if role != "special"), default=-1)
        header = inputs.ids[said + 1 :]  # a template for thinking ends inside the thought
        thinking = _last_index(header, opens) > _last_index(header, closes)
        special = self.control_tokens(tokenizer)
        roles = []
        for token in answer_ids:
            if token in (opens, closes):
                thinking = token == opens
                roles.append("special")
            else:
                roles.append("special" if token in special else "thinking" if thinking else "answer")
        return roles


def encoded(tensors, roles, cells, answer_start: list[int], grids: list[Grid], read_sizes) -> Inputs:
    """Inputs of a model whose encoder reads all of `tensors`, and whose decoder begins an answer with these tokens.

    `roles` and `cells` are of the encoder's tokens, and `grids` of its tower `encoder`. Towers `language` and `cross`
    are the decoder's: of its tokens with each other, and with all that the encoder read.
    """
    n, more = len(roles), len(answer_start)
    tensors = tensors | {"decoder_input_ids": torch.tensor([answer_start], dtype=tensors["input_ids"].dtype)}
    read, answered = [(0, n)], [(n, n + more)]
    return Inputs(
        tensors,
        roles + ["special"] * more,
        cells + [None] * more,
        grids,
        read_sizes=read_sizes,
        query_tokens={"language": answered, "encoder": read, "cross": answered},
        key_tokens={"language": answered, "encoder": read, "cross": read},
    )


def _video_arguments(videos: Sequence[Video], options: dict | None) -> dict[str, Any]:
    """Arguments of a processor for videos that are sampled already."""
    said = {"do_sample_frames": False, "video_metadata": metadata(videos), "return_metadata": True}
    return {"videos": arrays(videos), "videos_kwargs": said | (options or {})}


def control_tokens(tokenizer) -> set[int]:
    """The ids of tokens that are no text. Words that a tokenizer adds and people type, as Gemma's does, are text."""
    added = {token for token, added in tokenizer.added_tokens_decoder.items() if added.special}
    return added | set(tokenizer.all_special_ids)


def coloured(image_processor, values: torch.Tensor) -> Image.Image:
    """The picture of pixel values [channels, rows, cols], as they were before an image processor normalised them.

    It has multiplied bytes by `rescale_factor`, taken `image_mean` away and divided by `image_std`, as far as asked.
    """
    values = values.float()
    if image_processor.do_normalize:
        mean, std = (
            torch.tensor(each)[:, None, None] for each in (image_processor.image_mean, image_processor.image_std)
        )
        values = values * std + mean
    if image_processor.do_rescale:
        values = values / image_processor.rescale_factor
    return Image.fromarray(values.round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy())


def _unveiling(tokenizer, veils: dict[str, str]):
    """A copy of a tokenizer that reads each veil as the sign it stands for, after it has looked for control tokens."""
    tokenizer = copy.deepcopy(tokenizer)
    backend = tokenizer.backend_tokenizer
    steps = [normalizers.Replace(veil, sign) for veil, sign in veils.items()]
    backend.normalizer = normalizers.Sequence(steps + ([backend.normalizer] if backend.normalizer else []))
    return tokenizer


def rendered(processor, messages: list[dict]) -> str:
    """A conversation as the model's chat template writes it. Raises InvalidRequest with the template's own reason."""
    try:
        return processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    except TemplateError as error:
        raise InvalidRequest(f"The model's chat template refuses this conversation: {error}") from None


def image_only(processor_class, image_processor_class=None):
    """A processor class that loads its tokenizer and its Pillow image processor alone.

    The stock classes of families that know videos insist on a video processor, which needs torchvision. Where there is
    no Pillow image processor either, `image_processor_class` is one.
    """
    load_images = (
        image_processor_class.from_pretrained
        if image_processor_class
        else functools.partial(AutoImageProcessor.from_pretrained, backend="pil")
    )

    class ImageOnly(processor_class):
        def check_argument_for_proper_class(self, argument_name, argument):
            return None if argument is None else super().check_argument_for_proper_class(argument_name, argument)

        @classmethod
        def get_attributes(cls):
            return processor_class.get_attributes()

        @classmethod
        def _get_arguments_from_pretrained(cls, path, processor_dict=None, **_):
            loaders = {
                "tokenizer": lambda: AutoTokenizer.from_pretrained(
                    path, local_files_only=True, trust_remote_code=False
                ),
                "image_processor": lambda: load_images(path),
            }
            return [loaders[name]() if name in loaders else None for name in cls.get_attributes()]

    ImageOnly.__name__ = ImageOnly.__qualname__ = processor_class.__name__
    return ImageOnly


def _last_index(values: list[int], value: int | None) -> int:
    return len(values) - 1 - values[::-1].index(value) if value in values else -1
