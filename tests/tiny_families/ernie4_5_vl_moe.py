"""ERNIE 4.5 VL: experts for text and for pictures."""

from transformers import Ernie4_5_VLMoeConfig, Ernie4_5_VLMoeForConditionalGeneration

from tiny_families import write_json
from tiny_families.qwen2_vl import write_model, write_processor

SIGNS = {
    "image_token": "<|IMAGE_PLACEHOLDER|>",
    "image_start_token": "<|IMAGE_START|>",
    "image_end_token": "<|IMAGE_END|>",
    "video_token": "<|VIDEO_PLACEHOLDER|>",
    "video_start_token": "<|VIDEO_START|>",
    "video_end_token": "<|VIDEO_END|>",
}
SPECIAL = ["<unk>", "<s>", "</s>", "<|begin_of_sentence|>", "<|end_of_sentence|>", *SIGNS.values()]
TEMPLATE = (
    "<|begin_of_sentence|>{% for message in messages %}"
    "{{ 'User: ' if message.role == 'user' else 'Assistant: ' if message.role == 'assistant' else '' }}"
    "{% for part in message.content %}{% if part.type == 'image' %}"
    "{{ 'Picture:<|IMAGE_START|><|IMAGE_PLACEHOLDER|><|IMAGE_END|>' }}{% else %}{{ part.text }}{% endif %}{% endfor %}"
    "{{ '<|end_of_sentence|>' if message.role == 'assistant' else '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}"
)
TEXT = {
    "hidden_size": 48,
    "intermediate_size": 64,
    "moe_intermediate_size": [32, 24],
    "moe_num_experts": 2,
    "moe_k": 1,
    "moe_num_shared_experts": 1,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 8192,
    "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0, "mrope_section": [2, 2, 2]},
    "pad_token_id": 256,
}


def write(folder):
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2}
    ids = {
        f"{name}_id": 256 + SPECIAL.index(sign) for name, sign in SIGNS.items() if "_start" in name or "_end" in name
    }
    write_model(
        folder,
        Ernie4_5_VLMoeForConditionalGeneration,
        Ernie4_5_VLMoeConfig,
        TEXT,
        vision,
        special=SPECIAL,
        placeholders=("<|IMAGE_PLACEHOLDER|>", "<|VIDEO_PLACEHOLDER|>", "<|IMAGE_START|>", "<|IMAGE_END|>"),
        ends=("</s>", "<unk>"),
        config_values=ids,
        **SIGNS,
    )
    size = {"shortest_edge": 56 * 56, "longest_edge": 128 * 28 * 28}
    write_processor(folder, "Ernie4_5_VLMoeProcessor", "Ernie4_5_VLMoeImageProcessor", size=size, temporal_patch_size=1)
    write_json(folder / "chat_template.json", {"chat_template": TEMPLATE})
