"""LLaVA-NeXT-Video: Llama and CLIP, pinpoints as published for LLaVA-NeXT."""

from transformers import LlavaNextVideoConfig, LlavaNextVideoForConditionalGeneration

from .llava_next import write_model


def write(folder):
    write_model(folder, LlavaNextVideoForConditionalGeneration, LlavaNextVideoConfig, "LlavaNextVideoProcessor")
