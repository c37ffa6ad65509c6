"""PaddleOCR-VL: an ERNIE 4.5 language tower, a tower whose patches are row by row."""

from transformers import PaddleOCRVLConfig, PaddleOCRVLForConditionalGeneration

from tiny_families import write_json
from tiny_families.qwen2_vl import TEXT, write_model, write_processor

TEMPLATE = (
    "<|begin_of_sentence|>{% for message in messages %}{% if message['role'] == 'user' %}User: "
    "{% for content in message['content'] %}{% if content['type'] == 'image' %}"
    "<|IMAGE_START|><|IMAGE_PLACEHOLDER|><|IMAGE_END|>{% endif %}{% endfor %}"
    "{% for content in message['content'] %}{% if content['type'] == 'text' %}{{ content['text'] }}{% endif %}"
    "{% endfor %}\n{% elif message['role'] == 'assistant' %}Assistant:\n"
    "{% for content in message['content'] %}{{ content['text'] }}{% endfor %}</s>"
    "{% else %}{% for content in message['content'] %}{{ content['text'] + '\n' }}{% endfor %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}Assistant:\n{% endif %}"
)
SPECIAL = ["<unk>", "<|begin_of_sentence|>", "</s>", "<|IMAGE_START|>", "<|IMAGE_PLACEHOLDER|>", "<|IMAGE_END|>"]


def write(folder):
    vision = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision |= {"patch_size": 14, "image_size": 56}
    text = {**TEXT, "head_dim": 16, "rope_scaling": {"rope_type": "default", "mrope_section": [2, 3, 3]}}
    signs = ("<|IMAGE_PLACEHOLDER|>", "<unk>", "<|IMAGE_START|>", "<|IMAGE_END|>")
    write_model(
        folder,
        PaddleOCRVLForConditionalGeneration,
        PaddleOCRVLConfig,
        text,
        vision,
        special=SPECIAL,
        placeholders=signs,
        ends=("</s>", "<unk>"),
        image_token="<|IMAGE_PLACEHOLDER|>",
    )
    sizes = {"temporal_patch_size": 1, "max_pixels": 28 * 28 * 128}
    write_processor(folder, "PaddleOCRVLProcessor", "PaddleOCRVLImageProcessor", **sizes)
    write_json(folder / "chat_template.json", {"chat_template": TEMPLATE})
