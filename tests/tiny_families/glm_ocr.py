"""GLM-OCR."""

from transformers import GlmOcrConfig, GlmOcrForConditionalGeneration

from .glm4v import TEXT, VISION, write_model


def write(folder):
    rope = {**TEXT["rope_parameters"], "partial_rotary_factor": 1.0, "mrope_section": [2, 3, 3]}
    text = {**TEXT, "head_dim": 16, "rope_parameters": rope}
    write_model(folder, GlmOcrForConditionalGeneration, GlmOcrConfig, "Glm46V", text, VISION)
