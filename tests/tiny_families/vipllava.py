"""VipLLaVA: Llama and CLIP, features of three layers."""

from transformers import VipLlavaConfig, VipLlavaForConditionalGeneration

from .llava import write_model


def write(folder):
    write_model(folder, VipLlavaForConditionalGeneration, VipLlavaConfig, vision_feature_layer=[-2, -3, 1])
