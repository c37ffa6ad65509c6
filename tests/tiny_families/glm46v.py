"""GLM-4.6V."""

from transformers import Glm46VConfig, Glm46VForConditionalGeneration

from .glm4v import TEXT, VISION, write_model


def write(folder):
    text, vision = {**TEXT, "model_type": "glm4v_text"}, {**VISION, "model_type": "glm4v_vision"}
    write_model(folder, Glm46VForConditionalGeneration, Glm46VConfig, "Glm46V", text, vision)
