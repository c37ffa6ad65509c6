"""Granite Vision: a LLaVA-NeXT with SigLIP, features of several of its layers side by side."""

from transformers import LlavaNextConfig, LlavaNextForConditionalGeneration

from .aya_vision import VISION
from .llava import PATCH
from .llava_next import TILE, write_model


def write(folder):
    vision = {**VISION, "num_hidden_layers": 3, "image_size": TILE, "patch_size": PATCH}
    features = {"vision_config": vision, "vision_feature_layer": [-3, -2, -1]}
    names = (LlavaNextForConditionalGeneration, LlavaNextConfig, "LlavaNextProcessor")
    write_model(folder, *names, strategy="full", class_tokens=0, **features)
