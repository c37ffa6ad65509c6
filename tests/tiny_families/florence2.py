"""Florence-2."""

import torch
from transformers import Florence2Config, Florence2ForConditionalGeneration, GenerationConfig

from tiny_families import byte_tokenizer, sharpen, write_json

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "<image>", *(f"<loc_{i}>" for i in range(1000))]
SIDE_PX, CELL_PX = 192, 32


def write(folder):
    torch.manual_seed(0)
    named = {"bos": "<s>", "eos": "</s>", "pad": "<pad>", "unk": "<unk>", "mask": "<mask>"}
    tokenizer = byte_tokenizer(
        SPECIAL,
        **{f"{name}_token": sign for name, sign in named.items()},
        extra_special_tokens={"image_token": "<image>"},
    )
    ids = {f"{name}_token_id": tokenizer.convert_tokens_to_ids(sign) for name, sign in named.items() if len(sign) < 6}
    ids = {name: ids[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    config = Florence2Config(
        text_config={
            "model_type": "bart",
            "vocab_size": len(tokenizer),
            "d_model": 48,
            "encoder_layers": 3,
            "decoder_layers": 2,
            "encoder_attention_heads": 3,
            "decoder_attention_heads": 4,
            "encoder_ffn_dim": 64,
            "decoder_ffn_dim": 64,
            "max_position_embeddings": 1024,
            "decoder_start_token_id": ids["eos_token_id"],
            **ids,
        },
        vision_config={
            "depths": [1, 1, 2, 1],
            "embed_dim": [8, 16, 24, 32],
            "num_heads": [1, 2, 3, 4],
            "num_groups": [1, 2, 3, 4],
            "window_size": 6,
            "projection_dim": 48,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
    )
    model = Florence2ForConditionalGeneration(config)
    sharpen(model, 3.0, 4.0, ("q_proj", "k_proj"))
    sharpen(model.model.language_model, 1.0, 1.5, ("encoder.layers.0.self_attn.q", "self_attn.k_proj"))
    sharpen(model.model.language_model.encoder, 1.0, 1.5, ("q_proj",))
    sharpen(model.model.language_model.decoder, 1.0, 3.0, ("encoder_attn.q_proj", "encoder_attn.k_proj"))
    model.generation_config = GenerationConfig(
        **ids, decoder_start_token_id=ids["eos_token_id"], forced_bos_token_id=ids["bos_token_id"]
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_json(
        folder / "preprocessor_config.json",
        {
            "do_center_crop": False,
            "do_convert_rgb": None,
            "do_normalize": True,
            "do_rescale": True,
            "do_resize": True,
            "image_mean": [0.485, 0.456, 0.406],
            "image_processor_type": "CLIPImageProcessor",
            "image_seq_length": (SIDE_PX // CELL_PX) ** 2 + 1,
            "image_std": [0.229, 0.224, 0.225],
            "processor_class": "Florence2Processor",
            "resample": 3,
            "rescale_factor": 1 / 255,
            "size": {"height": SIDE_PX, "width": SIDE_PX},
        },
    )
