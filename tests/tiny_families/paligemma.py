"""PaliGemma, and with `text="gemma2"` PaliGemma 2, whose scores are capped."""

import torch
from tokenizers import AddedToken
from transformers import GenerationConfig, PaliGemmaConfig, PaliGemmaForConditionalGeneration

from tiny_families import byte_tokenizer, sharpen, write_json

SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<image>"]
LOCATIONS = [*(f"<loc{i:04}>" for i in range(1024)), *(f"<seg{i:03}>" for i in range(128))]
SIDE_PX, PATCH_PX = 48, 8
OF_GEMMA_2 = {
    "attn_logit_softcapping": 5.0,
    "final_logit_softcapping": 30.0,
    "query_pre_attn_scalar": 16,
    "sliding_window": 24,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
}


def write(folder, text="gemma"):
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = byte_tokenizer(SPECIAL, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>")
    tokenizer.add_tokens([AddedToken(name, special=False) for name in LOCATIONS])
    ids = dict(zip(SPECIAL, tokenizer.convert_tokens_to_ids(SPECIAL), strict=True))
    config = PaliGemmaConfig(
        text_config={
            "model_type": text,
            "vocab_size": len(tokenizer),
            "hidden_size": 48,
            "intermediate_size": 64,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "max_position_embeddings": 8192,
            "bos_token_id": ids["<bos>"],
            "eos_token_id": ids["<eos>"],
            "pad_token_id": ids["<pad>"],
            **(OF_GEMMA_2 if text == "gemma2" else {}),
        },
        vision_config={
            "model_type": "siglip_vision_model",
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": SIDE_PX,
            "patch_size": PATCH_PX,
            "vision_use_head": False,
        },
        projection_dim=48,
        hidden_size=48,
        vocab_size=len(tokenizer),
        image_token_index=ids["<image>"],
    )
    model = PaliGemmaForConditionalGeneration(config)
    sharpen(model, 3.0, 8.0, ("q_proj", "k_proj"))
    model.generation_config = GenerationConfig(
        bos_token_id=ids["<bos>"], eos_token_id=ids["<eos>"], pad_token_id=ids["<pad>"]
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_json(
        folder / "preprocessor_config.json",
        {
            "do_convert_rgb": None,
            "do_normalize": True,
            "do_rescale": True,
            "do_resize": True,
            "image_mean": [0.5, 0.5, 0.5],
            "image_processor_type": "SiglipImageProcessor",
            "image_seq_length": (SIDE_PX // PATCH_PX) ** 2,
            "image_std": [0.5, 0.5, 0.5],
            "processor_class": "PaliGemmaProcessor",
            "resample": 3,
            "rescale_factor": 1 / 255,
            "size": {"height": SIDE_PX, "width": SIDE_PX},
        },
    )
