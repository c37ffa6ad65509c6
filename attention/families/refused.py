"""Reasons why model types are refused, one table. What is not in it has no family file yet.

That an image processor is written for torchvision alone is asked of transformers; the rest was read in its code.
"""

from __future__ import annotations

from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES

NO_FILE_YET = "no family file yet"
TORCHVISION = "its image processor needs torchvision"

REASONS = {
    "its vision tower needs timm, which needs torchvision": ("fast_vlm", "gemma3n", "perception_lm"),
    "a resampler mixes the whole picture into what the text reads of it, which stands for no place": (
        *("aria", "blip-2", "idefics", "idefics2", "instructblip", "instructblipvideo", "kosmos-2", "kosmos-2.5"),
    ),
    "a Q-Former mixes all patches of a window into each of its tokens, of which none has a place in the window": (
        "granite4_vision",
    ),
    "one of its towers computes attention by itself, not through transformers' attention interface": (
        *("blip", "deepseek_ocr2", "git", "pp_chart2table"),
    ),
    "an encoder reads the picture and a decoder answers, so it has no sequence with both": (
        *("florence2", "pix2struct", "pp_formulanet", "t5gemma2", "udop", "vision-encoder-decoder"),
    ),
    "some of its layers run several times over, each time with queries of their own": ("inkling2_loop",),
    "an index chooses which keys each query may read": (
        *("dots3_note", "glm5_next", "minimax_m3_vl", "mistral_large4"),
    ),
    "its processor writes one picture before one prompt, and does not say which token stands for which words": (
        "fuyu",
    ),
    "it reads no pictures": ("evolla", "mistral4"),
    "it classifies or acts, and writes no answer": ("pi0", "shieldgemma2"),
    "it writes all tokens of an answer at once, in several passes": ("diffusion_gemma",),
    "its picture becomes words of a codebook, which an encoder of its own chooses": ("chameleon", "emu3"),
    "a part of a model that also hears and speaks, whose folder has the config of the whole": (
        *("qwen2_5_omni_thinker", "qwen3_omni_moe_thinker"),
    ),
}


def reason(model_type: str) -> str:
    """The reason why no family reads a model type."""
    named = next((reason for reason, types in REASONS.items() if model_type in types), None)
    if named is None and set(IMAGE_PROCESSOR_MAPPING_NAMES.get(model_type, ())) == {"torchvision"}:
        return TORCHVISION
    return named or NO_FILE_YET
