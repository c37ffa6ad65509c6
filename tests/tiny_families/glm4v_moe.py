"""GLM-4.5V: from the second layer on, experts beside one that all tokens share."""

from transformers import Glm4vMoeConfig, Glm4vMoeForConditionalGeneration

from .glm4v import TEXT, VISION, write_model


def write(folder):
    experts = {"moe_intermediate_size": 16, "n_routed_experts": 4, "num_experts_per_tok": 2}
    text = {**TEXT, "num_key_value_heads": 3, **experts}
    write_model(folder, Glm4vMoeForConditionalGeneration, Glm4vMoeConfig, "Glm4v", text, VISION)
