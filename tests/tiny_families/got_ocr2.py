"""GOT-OCR 2: a Qwen2 language tower behind a tower that is not read, and no chat template."""

import torch
from transformers import GotOcr2Config, GotOcr2ForConditionalGeneration

from . import byte_tokenizer, sharpen, write_json
from .qwen2_vl import CLIP

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<imgpad>"]
SIDE, PATCH = 64, 4


def write(folder):
    tokenizer = byte_tokenizer(SPECIAL, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.save_pretrained(folder)
    config = GotOcr2Config(
        text_config={
            "model_type": "qwen2",
            "vocab_size": len(tokenizer),
            "hidden_size": 48,
            "intermediate_size": 64,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 8192,
            "eos_token_id": tokenizer.eos_token_id,
            "bos_token_id": None,
        },
        vision_config={
            "hidden_size": 32,
            "output_channels": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": SIDE,
            "patch_size": PATCH,
            "window_size": 5,
            "global_attn_indexes": [1],
            "mlp_dim": 48,
        },
        image_token_index=tokenizer.convert_tokens_to_ids("<imgpad>"),
        image_seq_length=(SIDE // PATCH // 4) ** 2,
    )
    torch.manual_seed(0)
    model = GotOcr2ForConditionalGeneration(config)
    sharpen(model.model.language_model, 4, 5, ("q_proj", "k_proj"))
    sharpen(model.model.vision_tower, 4, 2, ("qkv",))
    sharpen(model.model.multi_modal_projector, 3, 1, ())
    model.save_pretrained(folder)
    write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "GotOcr2ImageProcessor",
            "processor_class": "GotOcr2Processor",
            "size": {"height": SIDE, "width": SIDE},
            **CLIP,
        },
    )
    tokens = {"num_image_tokens": (SIDE // PATCH // 4) ** 2}
    write_json(folder / "processor_config.json", {"processor_class": "GotOcr2Processor", **tokens})
