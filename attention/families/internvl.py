"""InternVL: ChatML conversations, pictures cut into square tiles, and a small view of the whole after them.

```
InternVLForConditionalGeneration
  model.language_model.layers.{i}.self_attn            one call a layer, causal, grouped-query
  model.vision_tower.encoder.layer.{i}.attention       one call a layer, batch = tiles, full, class token first
```
The picture is stretched to the rows x cols tiles nearest to its proportions; the vision tower reads them row by row,
then, where there are several, the whole picture as one more tile. Pixel shuffle merges 2 x 2 patches (downsample_ratio
0.5) into one image token; tokens are row by row inside a tile. Each frame of a video is stretched to one tile, and its
number stands before it as text.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import torch
from transformers import AutoConfig
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD, PILImageResampling
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import get_optimal_tiled_canvas
from transformers.models.internvl.processing_internvl import InternVLProcessor
from transformers.video_processing_utils import BaseVideoProcessor

from attention.coordinates import THOUSANDTHS
from attention.errors import LimitExceeded, UnsupportedModel

from .family import Family, image_only
from .idefics3 import tiled
from .llava import one_size
from .towers import language_tower, vision_tower
from .videos import alone, load_video_processor


class InternVLVideoProcessor(BaseVideoProcessor):
    """Transformers' class of this name, whose module cannot be imported without torchvision."""

    resample = PILImageResampling.BICUBIC
    image_mean, image_std = OPENAI_CLIP_MEAN, OPENAI_CLIP_STD
    size = {"height": 384, "width": 384}  # noqa: RUF012 - as transformers has it
    do_resize = do_rescale = do_normalize = do_convert_rgb = initial_shift = True
    do_sample_frames = False

    def sample_frames(self, metadata, num_frames=None, fps=None, **_):
        step = metadata.total_num_frames / num_frames
        first = step / 2 if self.initial_shift is True else self.initial_shift
        return torch.arange(first, metadata.total_num_frames, step).int()  # in float32, as transformers has it


class InternVL(Family):
    label = "InternVL"
    coordinates: ClassVar[str | None] = THOUSANDTHS
    takes_videos = True
    processor_class = InternVLProcessor
    class_tokens = 1  # of a tile, before its patches
    whole_first = False  # whether the small view stands before the tiles

    def load_processor(self, path):
        return self._loaded(image_only(self.processor_class), path)

    def _loaded(self, processor_class, path):
        processor = processor_class.from_pretrained(path)
        if self.takes_videos:
            processor.video_processor = load_video_processor(InternVLVideoProcessor, path)
        self._fit(processor, AutoConfig.from_pretrained(path, local_files_only=True))
        return processor

    def _fit(self, processor, config) -> None:
        """Give a processor what this family reads of it: `patch` in pixels, `merge` patches along a token's side."""
        processor.cell_token_id = config.image_token_id
        processor.patch, processor.merge, processor.tile_tokens = self._tile(processor, config)

    def _tile(self, processor, config) -> tuple[int, int, int]:
        """A patch's side, a token's side in patches (as the projector computes it), and the tokens of a tile."""
        return config.vision_config.patch_size[0], int(1 / config.downsample_ratio), processor.image_seq_length

    def towers(self, config):
        return {"language": language_tower(config.text_config), "vision": vision_tower(config.vision_config)}

    def attention_modules(self, model):
        return {
            "language": {i: layer.self_attn for i, layer in enumerate(model.model.language_model.layers)},
            "vision": {i: layer.attention for i, layer in enumerate(model.model.vision_tower.encoder.layer)},
        }

    def prepare(self, processor, messages, images, max_visual_tokens, videos=()):
        if videos:
            return self._of_video(processor, messages, alone(self.label, images, videos), max_visual_tokens)
        settings = self._settings(processor)
        if images and max_visual_tokens is not None:
            settings = self._fewer_tiles(processor, settings, images, max_visual_tokens)
        tensors, roles = self._read(processor, messages, images, **settings)
        tiles = [self._tiles(processor, settings, image) for image in images]
        return tiled(
            tensors,
            roles,
            processor.cell_token_id,
            images,
            tiles,
            processor.patch,
            processor.merge,
            class_tokens=self.class_tokens,
            whole_first=self.whole_first,
        )

    def visual_token_limit(self, processor):
        settings = self._settings(processor)
        most = settings["max_patches"] if settings["crop_to_patches"] else 1
        return (most + 1 if most > 1 else 1) * processor.tile_tokens

    def _of_video(self, processor, messages, video, max_visual_tokens):
        if processor.video_processor.do_center_crop:
            raise UnsupportedModel("The video processor of this model crops frames, which is not known here.")
        if max_visual_tokens is not None and processor.tile_tokens > max_visual_tokens:
            raise one_size(self.label, processor.tile_tokens, max_visual_tokens)
        tensors, roles = self._read(processor, messages, [], [video])
        inputs = tiled(
            tensors,
            roles,
            processor.cell_token_id,
            video.frames,
            [(1, 1)] * len(video.frames),
            processor.patch,
            processor.merge,
            class_tokens=self.class_tokens,
        )
        grids = [replace(grid, kind="frame", time_s=video.time_s(grid.image)) for grid in inputs.grids]
        return replace(inputs, grids=grids)

    def own_visual_tokens(self, processor, messages, images, videos=()):
        if videos:
            return None
        settings = self._settings(processor)
        return [self._tokens(processor, settings, image) for image in images]

    def _tokens(self, processor, settings, image) -> int:
        rows, cols = self._tiles(processor, settings, image)
        return (rows * cols + 1 if rows * cols > 1 else 1) * processor.tile_tokens

    def _settings(self, processor) -> dict:
        """Settings by which the image processor cuts: what this processor class tells it comes before its own."""
        own, told = processor.image_processor, getattr(processor, "images_kwargs", {})
        return {name: told.get(name, getattr(own, name)) for name in ("crop_to_patches", "min_patches", "max_patches")}

    def _tiles(self, processor, settings, image) -> tuple[int, int]:
        """Rows and cols that the image processor cuts this image into; it does not return them."""
        if not settings["crop_to_patches"] or settings["max_patches"] <= 1:
            return 1, 1
        size = processor.image_processor.size
        cols, rows = self._canvas(
            processor.image_processor,
            (image.height, image.width),
            (size.height, size.width),
            settings["min_patches"],
            settings["max_patches"],
        )
        return rows, cols

    def _canvas(self, image_processor, size, tile, least: int, most: int) -> tuple[int, int]:
        """Cols and rows of tiles of size `tile` for a picture of this size, both (height, width)."""
        return get_optimal_tiled_canvas(size, tile, least, most)

    def _fewer_tiles(self, processor, settings, images, max_visual_tokens) -> dict:
        """The settings with the most tiles that keep every image within so many tokens."""
        per_tile = processor.tile_tokens
        if max_visual_tokens < per_tile:
            raise LimitExceeded(
                f"{self.label} reads a picture in {per_tile} tokens at least, those of one tile; max_visual_tokens is "
                f"{max_visual_tokens}. Allow {per_tile} or more.",
                per_tile,
            )

        while any(self._tokens(processor, settings, image) > max_visual_tokens for image in images):
            settings = {**settings, "max_patches": settings["max_patches"] - 1}
        return settings


FAMILY = InternVL()
