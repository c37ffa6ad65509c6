"""Hunyuan-VL: a dense Hunyuan language tower, patches row by row, tokens at the ends of rows."""

from transformers import HunYuanVLConfig, HunYuanVLForConditionalGeneration

from tiny_families import write_json
from tiny_families.qwen2_vl import TEXT, write_model, write_processor

START, IMAGE, END = "<｜hy_place▁holder▁no▁100｜>", "<｜hy_place▁holder▁no▁102｜>", "<｜hy_place▁holder▁no▁101｜>"
TEMPLATE = (
    "<｜hy_begin▁of▁sentence｜>{% for message in messages %}{% if message['role'] == 'system' %}"
    "{% for content in message['content'] %}{{ content['text'] }}{% endfor %}<｜hy_place▁holder▁no▁3｜>"
    "{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' %}" + START + IMAGE + END +
    "{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}{% endfor %}"
    "{% if message['role'] == 'user' %}<｜hy_User｜>{% else %}<｜hy_Assistant｜>{% endif %}{% endif %}{% endfor %}"
)  # fmt: skip
SPECIAL = [
    *("<｜hy_begin▁of▁sentence｜>", "<｜hy_place▁holder▁no▁3｜>", "<｜hy_User｜>", "<｜hy_Assistant｜>"),
    *("<｜hy_▁pad▁｜>", START, IMAGE, END),
]


def write(folder):
    text = {**TEXT, "head_dim": 16, "rope_scaling": {"rope_type": "default", "mrope_section": [2, 2, 2, 2]}}
    vision = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision |= {"patch_size": 14, "max_image_size": 112}
    write_model(
        folder,
        HunYuanVLForConditionalGeneration,
        HunYuanVLConfig,
        text,
        vision,
        special=SPECIAL,
        placeholders=(IMAGE, "<｜hy_▁pad▁｜>", START, END),
        ends=("<｜hy_Assistant｜>", "<｜hy_▁pad▁｜>"),
        vision_scale=1.5,
        image_token=IMAGE,
        image_start_token=START,
        image_end_token=END,
    )
    sizes = {"temporal_patch_size": 1, "max_pixels": 28 * 28 * 128}
    write_processor(folder, "HunYuanVLProcessor", "HunYuanVLImageProcessor", **sizes)
    write_json(folder / "chat_template.json", {"chat_template": TEMPLATE})
