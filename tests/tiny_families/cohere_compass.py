"""Cohere Compass: a Cohere2 language tower with sliding layers, and Qwen3-VL's vision tower."""

from transformers import CohereCompassConfig, CohereCompassForConditionalGeneration

from tiny_families import write_json
from tiny_families.qwen2_vl import write_model, write_processor

SPECIAL = [
    *("<PAD>", "<BOS_TOKEN>", "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "<|USER_TOKEN|>"),
    *("<|CHATBOT_TOKEN|>", "<|SYSTEM_TOKEN|>", "<|VISION_START|>", "<|VISION_END|>", "<|IMAGE_PAD|>", "<|VIDEO_PAD|>"),
]
TEMPLATE = (
    "<BOS_TOKEN>{% for message in messages %}<|START_OF_TURN_TOKEN|>"
    '{{ message.role | replace("user", "<|USER_TOKEN|>") | replace("assistant", "<|CHATBOT_TOKEN|>")'
    ' | replace("system", "<|SYSTEM_TOKEN|>") }}{% for part in message.content %}'
    "{{ '<|VISION_START|><|IMAGE_PAD|><|VISION_END|>' if part.type == 'image' else part.text }}{% endfor %}"
    "<|END_OF_TURN_TOKEN|>{% endfor %}"
    "{% if add_generation_prompt %}<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{% endif %}"
)
TEXT = {
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 8192,
    "sliding_window": 24,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    "rope_parameters": {
        name: {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 2, 2], "mrope_interleaved": True}
        for name in ("full_attention", "sliding_attention")
    },
}
VISION = {
    "depth": 2,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_heads": 2,
    "patch_size": 16,
    "out_hidden_size": 48,
    "num_position_embeddings": 64,
    "deepstack_visual_indexes": [0],
}


def write(folder):
    write_model(
        folder,
        CohereCompassForConditionalGeneration,
        CohereCompassConfig,
        TEXT,
        VISION,
        special=SPECIAL,
        placeholders=("<|IMAGE_PAD|>", "<|VIDEO_PAD|>", "<|VISION_START|>", "<|VISION_END|>"),
        ends=("<|END_OF_TURN_TOKEN|>", "<PAD>"),
    )
    size = {"shortest_edge": 64 * 64, "longest_edge": 128 * 32 * 32}
    write_processor(folder, "CohereCompassProcessor", "CohereCompassImageProcessor", size=size, patch_size=16)
    write_json(folder / "chat_template.json", {"chat_template": TEMPLATE})
