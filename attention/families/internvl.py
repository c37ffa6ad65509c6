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

import torch
from transformers import AutoConfig
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD, PILImageResampling
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import get_optimal_tiled_canvas
from transformers.models.internvl.processing_internvl import InternVLProcessor
from transformers.video_processing_utils import BaseVideoProcessor

from attention.coordinates import THOUSANDTHS
from attention.errors import LimitExceeded, UnsupportedModel

from .family import Family, TowerShape, image_only
from .idefics3 import tiled
from .llava import one_size
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
    coordinates = THOUSANDTHS
    takes_videos = True
    processor_class = InternVLProcessor

    def load_processor(self, path):
        processor = image_only(self.processor_class).from_pretrained(path)
        processor.video_processor = load_video_processor(InternVLVideoProcessor, path)
        self._fit(processor, AutoConfig.from_pretrained(path))
        return processor

    def _fit(self, processor, config):
        processor.patch_size = config.vision_config.patch_size[0]
        processor.merge_size = int(1 / config.downsample_ratio)  # as the projector computes it

    def towers(self, config):
        text, vision = config.text_config, config.vision_config
        head_dim = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        return {
            "language": TowerShape(
                tuple(range(text.num_hidden_layers)), text.num_attention_heads, text.num_key_value_heads, head_dim
            ),
            "vision": TowerShape(
                tuple(range(vision.num_hidden_layers)),
                vision.num_attention_heads,
                vision.num_attention_heads,
                vision.hidden_size // vision.num_attention_heads,
            ),
        }

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
        patch, merge = processor.patch_size, processor.merge_size
        return tiled(tensors, roles, processor.image_token_id, images, tiles, patch, merge, class_tokens=1)

    def visual_token_limit(self, processor):
        settings = self._settings(processor)
        most = settings["max_patches"] if settings["crop_to_patches"] else 1
        return (most + 1 if most > 1 else 1) * processor.image_seq_length

    def _of_video(self, processor, messages, video, max_visual_tokens):
        if processor.video_processor.do_center_crop:
            raise UnsupportedModel("The video processor of this model crops frames, which is not known here.")
        if max_visual_tokens is not None and processor.image_seq_length > max_visual_tokens:
            raise one_size(self.label, processor.image_seq_length, max_visual_tokens)
        tensors, roles = self._read(processor, messages, [], [video])
        patch, merge = processor.patch_size, processor.merge_size
        tiles = [(1, 1)] * len(video.frames)
        inputs = tiled(tensors, roles, processor.image_token_id, video.frames, tiles, patch, merge, class_tokens=1)
        grids = [replace(grid, kind="frame", time_s=video.time_s(grid.image)) for grid in inputs.grids]
        return replace(inputs, grids=grids)

    def own_visual_tokens(self, processor, messages, images, videos=()):
        if videos:
            return None
        settings = self._settings(processor)
        return [self._tokens(processor, settings, image) for image in images]

    def _tokens(self, processor, settings, image) -> int:
        rows, cols = self._tiles(processor, settings, image)
        return (rows * cols + 1 if rows * cols > 1 else 1) * processor.image_seq_length

    def _settings(self, processor) -> dict:
        """Settings by which the image processor cuts: what this processor class tells it comes before its own."""
        own, told = processor.image_processor, processor.images_kwargs
        return {name: told.get(name, getattr(own, name)) for name in ("crop_to_patches", "min_patches", "max_patches")}

    def _tiles(self, processor, settings, image) -> tuple[int, int]:
        """Rows and cols that the image processor cuts this image into; it does not return them."""
        if not settings["crop_to_patches"] or settings["max_patches"] <= 1:
            return 1, 1
        size = processor.image_processor.size
        cols, rows = get_optimal_tiled_canvas(
            (image.height, image.width), (size.height, size.width), settings["min_patches"], settings["max_patches"]
        )
        return rows, cols

    def _fewer_tiles(self, processor, settings, images, max_visual_tokens) -> dict:
        """The settings with the most tiles that keep every image within so many tokens."""
        per_tile = processor.image_seq_length
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
