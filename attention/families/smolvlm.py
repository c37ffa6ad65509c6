"""SmolVLM2: as Idefics3; each frame of a video is squeezed into one tile, and a line with its time stands before it.

```
SmolVLMForConditionalGeneration
  model.text_model.layers.{i}.self_attn              one call a layer, causal, grouped-query
  model.vision_model.encoder.layers.{i}.self_attn    one call a layer, batch = tiles, full attention, no class token
```
A line before the first frame says how many follow, in words, and how long the video lasts.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from transformers import AutoConfig
from transformers.models.smolvlm.processing_smolvlm import (
    DEFAULT_CHAT_TEMPLATE,
    DEFAULT_MEDIA_OUTTRO,
    DEFAULT_VIDEO_INTRO,
    FRAME_TIMESTAMP_MESSAGE,
    SmolVLMProcessor,
    get_image_prompt_string,
)
from transformers.models.smolvlm.video_processing_smolvlm import SmolVLMVideoProcessor
from transformers.processing_utils import ProcessorMixin
from transformers.video_utils import VideoMetadata

from .family import image_only
from .idefics3 import Idefics3, ReturnsTiles, tiled
from .llava import one_size
from .videos import alone, load_video_processor

ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def in_words(count: int) -> str:
    """A count from 0 to 999,999 in English words, as the package num2words writes it."""
    if count < 20:
        return ONES[count]
    if count < 100:
        return TENS[count // 10] + (f"-{ONES[count % 10]}" if count % 10 else "")
    size, name = (1000, "thousand") if count >= 1000 else (100, "hundred")
    rest = count % size
    joint = ", " if rest >= 100 else " and "
    return f"{in_words(count // size)} {name}" + (joint + in_words(rest) if rest else "")


class SmolVLMTilesProcessor(ReturnsTiles, SmolVLMProcessor):
    """Transformers' class, which insists on the package num2words; `tiles` as Idefics3's has them."""

    def __init__(
        self, image_processor, tokenizer, video_processor=None, image_seq_len=169, chat_template=None, **kwargs
    ):
        self.fake_image_token = getattr(tokenizer, "fake_image_token", "<fake_token_around_image>")
        self.image_token = getattr(tokenizer, "image_token", "<image>")
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.end_of_utterance_token = getattr(tokenizer, "end_of_utterance_token", "<end_of_utterance>")
        self.global_image_token = getattr(tokenizer, "global_image_token", "<global-img>")
        self.video_token = getattr(tokenizer, "video_token", "<video>")
        self.image_seq_len = image_seq_len
        ProcessorMixin.__init__(self, image_processor, tokenizer, video_processor, chat_template=chat_template)

    def apply_chat_template(self, conversation, chat_template=None, **kwargs):
        has_video = any(entry["type"] == "video" for message in conversation for entry in message["content"])
        if chat_template is None and has_video:  # as transformers does: published templates write no video
            chat_template = DEFAULT_CHAT_TEMPLATE
        return ProcessorMixin.apply_chat_template(self, conversation, chat_template, **kwargs)

    def replace_video_token(self, video_inputs, video_idx, **_):
        seen = video_inputs["video_metadata"][video_idx]
        intro = DEFAULT_VIDEO_INTRO.format(
            frame_count=in_words(len(seen.timestamps)), video_duration=timedelta(seconds=int(seen.duration))
        )
        view = get_image_prompt_string(
            0, 0, self.image_seq_len, self.fake_image_token, self.image_token, self.global_image_token
        )
        times = (f"{int(second // 60):02d}:{int(second % 60):02d}" for second in seen.timestamps)
        return (
            intro
            + "".join(FRAME_TIMESTAMP_MESSAGE.format(timestamp=time) + view for time in times)
            + DEFAULT_MEDIA_OUTTRO
        )


class SmolVLM(Idefics3):
    label = "SmolVLM"
    processor_class = SmolVLMTilesProcessor
    takes_videos = True

    def load_processor(self, path):
        processor = image_only(self.processor_class).from_pretrained(path)
        processor.video_processor = load_video_processor(SmolVLMVideoProcessor, path)
        self._fit(processor, AutoConfig.from_pretrained(path))
        return processor

    def prepare(self, processor, messages, images, max_visual_tokens, videos=()):
        if not videos:
            return super().prepare(processor, messages, images, max_visual_tokens)
        video = alone(self.label, images, videos)
        if max_visual_tokens is not None and processor.image_seq_len > max_visual_tokens:
            raise one_size(self.label, processor.image_seq_len, max_visual_tokens)
        tensors, roles = self._read(processor, messages, [], [video])
        inputs = tiled(
            *(tensors, roles, processor.image_token_id, video.frames, [(1, 1)] * len(video.frames)),
            *(processor.patch_size, processor.scale_factor),
        )
        grids = [replace(grid, kind="frame", time_s=video.time_s(grid.image)) for grid in inputs.grids]
        return replace(inputs, grids=grids)

    def own_visual_tokens(self, processor, messages, images, videos=()):
        return None if videos else super().own_visual_tokens(processor, messages, images)

    def sample(self, processor, total, source_fps, fps, most):
        seen = VideoMetadata(total_num_frames=total, fps=source_fps, duration=total / source_fps)
        chosen = processor.video_processor.sample_frames(metadata=seen, num_frames=most, fps=fps)
        return [int(frame) for frame in chosen]


FAMILY = SmolVLM()
