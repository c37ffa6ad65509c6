"""Qwen2-VL."""

import torch
from tokenizers import AddedToken
from transformers import GenerationConfig, Qwen2VLConfig, Qwen2VLForConditionalGeneration

from tiny_families import byte_tokenizer, sharpen, write_json

SPECIAL = [
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>"),
    *("<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>"),
    *("<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
]
DEFAULT_SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and message.role != 'system' %}" + DEFAULT_SYSTEM + "{% endif %}"
    "<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
    "{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part.type == 'video' %}<|vision_start|><|video_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CLIP = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
TEXT = {
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32768,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0,
    "rope_scaling": {"type": "mrope", "mrope_section": [2, 2, 2]},
}


def write(folder):
    vision = {"depth": 2, "embed_dim": 32, "hidden_size": 48, "num_heads": 2, "mlp_ratio": 2}
    write_model(folder, Qwen2VLForConditionalGeneration, Qwen2VLConfig, TEXT, vision)
    write_processor(folder, "Qwen2VLProcessor")
    write_json(folder / "chat_template.json", {"chat_template": TEMPLATE})


PLACEHOLDERS = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")


VISION_LAYERS = ("vision_model.encoder", "visual.encoder", "vision_tower.layers")  # of towers unlike Qwen's


def write_model(
    folder, model_class, config_class, text, vision, special=SPECIAL, placeholders=PLACEHOLDERS,
    ends=("<|im_end|>", "<|endoftext|>"), vision_scale=1.0, config_values=None, added=(), sharpness=2.5, **named,
):  # fmt: skip
    """A random model and its tokenizer, without a chat template.

    `added` are tokens that are text, `named` attributes of the tokenizer.
    """
    extra = named or special[1:]
    tokenizer = byte_tokenizer(special, eos_token=ends[0], pad_token=ends[1], extra_special_tokens=extra)
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in added])
    names = ("image", "video", "vision_start", "vision_end")
    ids = tokenizer.convert_tokens_to_ids(list(placeholders))
    ends = tokenizer.convert_tokens_to_ids(list(ends))
    config = config_class(
        text_config={**text, "vocab_size": len(tokenizer), "bos_token_id": ends[1], "eos_token_id": ends[0]},
        vision_config=vision,
        **(config_values or {}),
        **{f"{name}_token_id": token for name, token in zip(names, ids, strict=True)},
    )
    torch.manual_seed(0)
    model = model_class(config)
    sharpen(model, 5.0, 4.0, ("q_proj.weight", "k_proj.weight", "qkv.weight"))
    sharpen(model, 1.0, sharpness, ("qkv.weight", "q_norm.weight", "k_norm.weight"))
    sharpen(model, 1.0, 5.0, ("query_layernorm", "key_layernorm"))
    sharpen(model, 1.0, vision_scale, VISION_LAYERS)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(("q_norm.weight", "k_norm.weight")) and not weight.any():
                weight.fill_(1.5)  # a norm that adds 1 to its weight
    model.generation_config = GenerationConfig(eos_token_id=ends, pad_token_id=ends[1], do_sample=False)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def write_processor(folder, processor_class, image_processor="Qwen2VLImageProcessor", **sizes):
    write_json(
        folder / "preprocessor_config.json",
        {
            "min_pixels": 56 * 56,
            "max_pixels": 28 * 28 * 128,
            "patch_size": 14,
            "temporal_patch_size": 2,
            "merge_size": 2,
            **CLIP,
            **sizes,
            "image_processor_type": image_processor,
            "processor_class": processor_class,
        },
    )


def write_processors(folder, processor_class):
    """Files of processors of pictures and videos in patches of 16 pixels, as from Qwen3-VL on."""
    shared = {"patch_size": 16, "temporal_patch_size": 2, "merge_size": 2, "processor_class": processor_class}
    shared |= {"size": {"shortest_edge": 16 * 32 * 32, "longest_edge": 128 * 32 * 32}}
    shared |= {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    kinds = {
        "preprocessor_config.json": {"image_processor_type": "Qwen2VLImageProcessorFast"},
        "video_preprocessor_config.json": {"video_processor_type": "Qwen3VLVideoProcessor"},
    }
    for name, kind in kinds.items():
        write_json(folder / name, shared | kind)
