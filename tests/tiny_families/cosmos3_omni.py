"""Cosmos 3: a Qwen3-VL under another name."""

from tiny import qwen3_vl_config, save_qwen3_vl
from transformers import Cosmos3OmniConfig, Cosmos3OmniForConditionalGeneration


def write(folder):
    config = qwen3_vl_config().to_dict()
    names = ("text_config", "vision_config", "image_token_id", "video_token_id", "tie_word_embeddings")
    ids = ("vision_start_token_id", "vision_end_token_id")
    config = Cosmos3OmniConfig(**{name: config[name] for name in (*names, *ids)})
    save_qwen3_vl(Cosmos3OmniForConditionalGeneration, config, folder)
