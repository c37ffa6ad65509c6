"""VideoLLaMA 3: a Qwen2 language tower, a tower without a table of positions, one token for each patch."""

from transformers import VideoLlama3Config, VideoLlama3ForConditionalGeneration

from tiny_families import write_json
from tiny_families.qwen2_vl import TEMPLATE, TEXT, write_model, write_processor


def write(folder):
    text = {name: value for name, value in TEXT.items() if "rope" not in name}
    text |= {"model_type": "qwen2", "tie_word_embeddings": False}
    vision = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision |= {"patch_size": 14}
    write_model(folder, VideoLlama3ForConditionalGeneration, VideoLlama3Config, text, vision, vision_scale=1.5)
    sizes = {"merge_size": 1, "temporal_patch_size": 1, "max_pixels": 14 * 14 * 256}
    write_processor(folder, "VideoLlama3Processor", "VideoLlama3ImageProcessor", **sizes)
    write_json(folder / "chat_template.json", {"chat_template": TEMPLATE})
