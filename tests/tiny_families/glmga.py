"""GLM-GA: a GLM-4.6V with an image processor of its own."""

from transformers import Glm46VForConditionalGeneration, GlmgaConfig

from .glm4v import TEXT, VISION, write_model


def write(folder):
    text, vision = {**TEXT, "model_type": "glm4v_text"}, {**VISION, "model_type": "glm4v_vision"}
    more = {"image_processor": "Glmga", "patch_expand_factor": 1}
    write_model(folder, Glm46VForConditionalGeneration, GlmgaConfig, "Glm46V", text, vision, **more)
