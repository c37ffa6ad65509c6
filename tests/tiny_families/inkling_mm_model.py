"""Inkling: a bias by position, and no vision tower that attends."""

import torch
from transformers import InklingConfig, InklingForConditionalGeneration

from tiny_families import sharpen
from tiny_families.inkling2 import TEXT, ends, save, tokenizer_of

SIDE = 20  # layers of larger squares have thousands of channels


def write(folder):
    tokenizer, ids = tokenizer_of(folder)
    text = {name: value for name, value in TEXT.items() if name != "n_layers_per_attn_res_block"}
    config = InklingConfig(
        text_config={**text, "vocab_size": len(tokenizer), "log_scaling_n_floor": 16, **ends(ids)},
        vision_config={"num_hidden_layers": 5, "patch_size": SIDE},
        audio_config={"n_mel_bins": 4, "mel_vocab_size": 4},
        image_token_id=ids["<|image|>"],
        audio_token_id=ids["<|audio|>"],
    )
    torch.manual_seed(0)
    model = InklingForConditionalGeneration(config)
    sharpen(model.model.vision_tower, 4, 1, ())
    sharpen(model.model.language_model, 2, 4, ("q_norm", "k_norm", "rel_logits_proj", "r_proj"))
    named = {"image_token": "<|image|>", "audio_token": "<|audio|>", "audio_bos_token": "<|a|>"}
    first = model.model.language_model.layers[0].self_attn.k_sconv.conv1d
    first.weight.data[..., :-1] = 0  # so that its keys show where pixels go
    save(model, folder, ids, "Inkling", SIDE, **named)
