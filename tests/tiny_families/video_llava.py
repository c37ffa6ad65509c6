"""Video-LLaVA: LLaVA 1.5 with a second tower, for videos."""

import json

from transformers import VideoLlavaConfig, VideoLlavaForConditionalGeneration

from . import write_json
from .llava import write_model


def write(folder):
    write_model(
        folder,
        VideoLlavaForConditionalGeneration,
        VideoLlavaConfig,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        video_token_index=4,
    )
    for name, kind in (("preprocessor_config.json", "image_processor_type"), ("processor_config.json", None)):
        settings = json.loads((folder / name).read_text())
        settings |= {"processor_class": "VideoLlavaProcessor"}
        write_json(folder / name, settings | ({kind: "VideoLlavaImageProcessor"} if kind else {}))
