"""Idefics2: a Mistral language tower, four quarters and the whole of at most 12 x 12 patches, 6 tokens each."""

import torch
from tokenizers.processors import TemplateProcessing
from transformers import Idefics2Config, Idefics2ForConditionalGeneration

from . import byte_tokenizer, sharpen, write_json
from .idefics3 import TEMPLATE, image_processor, text, vision

SPECIAL = ["<unk>", "<s>", "</s>", "<fake_token_around_image>", "<image>", "<end_of_utterance>"]
N_TOKENS = 6


def write(folder):
    tokenizer = byte_tokenizer(
        SPECIAL, TEMPLATE, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<unk>"
    )
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.bos_token_id)]
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    model = Idefics2ForConditionalGeneration(
        Idefics2Config(
            text_config=text(tokenizer, "mistral") | {"head_dim": 12, "sliding_window": None},
            vision_config=vision(image_size=96, patch_size=8),
            perceiver_config={
                "hidden_size": 48,
                "resampler_n_latents": N_TOKENS,
                "resampler_depth": 2,
                "resampler_n_heads": 4,
                "resampler_head_dim": 16,
                "num_key_value_heads": 2,
            },
            image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        )
    )
    sharpen(model, 4, 5, ("q_proj", "k_proj"))
    sharpen(model.model.vision_model, 1, 1.5, ("q_proj", "k_proj"))
    with torch.no_grad():
        model.model.connector.perceiver_resampler.latents.normal_()  # they begin alike
    model.save_pretrained(folder)
    settings = image_processor("Idefics2", tile=None, longest_edge=None)
    del settings["max_image_size"]
    write_json(folder / "preprocessor_config.json", settings | {"size": {"shortest_edge": 40, "longest_edge": 96}})
    write_json(folder / "processor_config.json", {"processor_class": "Idefics2Processor", "image_seq_len": N_TOKENS})
