"""Fine-tunes load by their base's family: configs with the values that are published, no weights."""

import json

import pytest

from attention.errors import UnsupportedModel
from attention.models.config import describe

# As saved by older versions of transformers: the language tower's fields beside the vision tower's.
QWEN2_7B = {
    "architectures": ["Qwen2VLForConditionalGeneration"],
    "attention_dropout": 0.0,
    "bos_token_id": 151643,
    "eos_token_id": 151645,
    "hidden_act": "silu",
    "hidden_size": 3584,
    "image_token_id": 151655,
    "initializer_range": 0.02,
    "intermediate_size": 18944,
    "max_position_embeddings": 32768,
    "max_window_layers": 28,
    "model_type": "qwen2_vl",
    "num_attention_heads": 28,
    "num_hidden_layers": 28,
    "num_key_value_heads": 4,
    "rms_norm_eps": 1e-06,
    "rope_scaling": {"mrope_section": [16, 24, 24], "rope_type": "default", "type": "default"},
    "rope_theta": 1000000.0,
    "sliding_window": 32768,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "use_sliding_window": False,
    "video_token_id": 151656,
    "vision_config": {
        "depth": 32,
        "embed_dim": 1280,
        "hidden_size": 3584,
        "in_chans": 3,
        "mlp_ratio": 4,
        "model_type": "qwen2_vl",
        "num_heads": 16,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "spatial_patch_size": 14,
        "temporal_patch_size": 2,
    },
    "vision_end_token_id": 151653,
    "vision_start_token_id": 151652,
    "vision_token_id": 151654,
    "vocab_size": 152064,
}
QWEN25_7B = QWEN2_7B | {
    "architectures": ["Qwen2_5_VLForConditionalGeneration"],
    "max_position_embeddings": 128000,
    "model_type": "qwen2_5_vl",
    "vision_config": {
        "depth": 32,
        "fullatt_block_indexes": [7, 15, 23, 31],
        "hidden_act": "silu",
        "hidden_size": 1280,
        "in_chans": 3,
        "intermediate_size": 3420,
        "model_type": "qwen2_5_vl",
        "num_heads": 16,
        "out_hidden_size": 3584,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "spatial_patch_size": 14,
        "temporal_patch_size": 2,
        "tokens_per_second": 2,
        "window_size": 112,
    },
}
QWEN25_3B = {"hidden_size": 2048, "intermediate_size": 11008, "max_window_layers": 70, "num_attention_heads": 16}
QWEN25_3B |= {"num_hidden_layers": 36, "num_key_value_heads": 2, "tie_word_embeddings": True, "vocab_size": 151936}
QWEN25_3B = QWEN25_7B | QWEN25_3B | {"vision_config": {**QWEN25_7B["vision_config"], "out_hidden_size": 2048}}
QWEN3_8B = {
    "architectures": ["Qwen3VLForConditionalGeneration"],
    "image_token_id": 151655,
    "model_type": "qwen3_vl",
    "text_config": {
        "attention_bias": False,
        "bos_token_id": 151643,
        "dtype": "bfloat16",
        "eos_token_id": 151645,
        "head_dim": 128,
        "hidden_act": "silu",
        "hidden_size": 4096,
        "intermediate_size": 12288,
        "max_position_embeddings": 262144,
        "model_type": "qwen3_vl_text",
        "num_attention_heads": 32,
        "num_hidden_layers": 36,
        "num_key_value_heads": 8,
        "rope_scaling": {"mrope_interleaved": True, "mrope_section": [24, 20, 20], "rope_type": "default"},
        "rope_theta": 5000000,
        "vocab_size": 151936,
    },
    "tie_word_embeddings": False,
    "video_token_id": 151656,
    "vision_config": {
        "deepstack_visual_indexes": [8, 16, 24],
        "depth": 27,
        "hidden_size": 1152,
        "in_channels": 3,
        "intermediate_size": 4304,
        "model_type": "qwen3_vl",
        "num_heads": 16,
        "num_position_embeddings": 2304,
        "out_hidden_size": 4096,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
    },
    "vision_end_token_id": 151653,
    "vision_start_token_id": 151652,
}
PIXTRAL_12B = {
    "architectures": ["LlavaForConditionalGeneration"],
    "image_seq_length": 1,
    "image_token_index": 10,
    "model_type": "llava",
    "projector_hidden_act": "gelu",
    "text_config": {
        "head_dim": 128,
        "hidden_size": 5120,
        "intermediate_size": 14336,
        "is_composition": True,
        "max_position_embeddings": 1024000,
        "model_type": "mistral",
        "num_hidden_layers": 40,
        "num_key_value_heads": 8,
        "rms_norm_eps": 1e-05,
        "rope_theta": 1000000000.0,
        "sliding_window": None,
        "vocab_size": 131072,
    },
    "vision_config": {
        "head_dim": 64,
        "hidden_act": "silu",
        "image_size": 1024,
        "is_composition": True,
        "model_type": "pixtral",
        "patch_size": 16,
        "rope_theta": 10000.0,
    },
    "vision_feature_layer": -1,
    "vision_feature_select_strategy": "full",
}
GRANITE_VISION_2B = {
    "architectures": ["LlavaNextForConditionalGeneration"],
    "image_grid_pinpoints": [[384, 768], [768, 384], [768, 768], [1152, 384], [384, 1152]],
    "image_seq_length": 576,
    "image_token_index": 49155,
    "model_type": "llava_next",
    "text_config": {
        "attention_multiplier": 0.015625,
        "embedding_multiplier": 12.0,
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "logits_scaling": 8.0,
        "max_position_embeddings": 131072,
        "model_type": "granite",
        "num_attention_heads": 32,
        "num_hidden_layers": 40,
        "num_key_value_heads": 8,
        "residual_multiplier": 0.22,
        "vocab_size": 49156,
    },
    "vision_config": {
        "hidden_size": 1152,
        "image_size": 384,
        "intermediate_size": 4304,
        "model_type": "siglip_vision_model",
        "num_attention_heads": 16,
        "num_hidden_layers": 27,
        "patch_size": 14,
    },
    "vision_feature_layer": [-24, -20, -12, -1],
    "vision_feature_select_strategy": "full",
}
FINE_TUNES = {
    "UI-TARS 7B": (QWEN2_7B, "Qwen2-VL", (28, 28, 4, 128), (32, 16, 16, 80)),
    "UI-TARS 1.5 7B": (QWEN25_7B, "Qwen2.5-VL", (28, 28, 4, 128), (32, 16, 16, 80)),
    "GUI-Owl 7B": (QWEN25_7B | {"max_position_embeddings": 32768}, "Qwen2.5-VL", (28, 28, 4, 128), (32, 16, 16, 80)),
    "Holo1 3B": (QWEN25_3B, "Qwen2.5-VL", (36, 16, 2, 128), (32, 16, 16, 80)),
    "Cosmos-Reason1 7B": (QWEN25_7B, "Qwen2.5-VL", (28, 28, 4, 128), (32, 16, 16, 80)),
    "Cosmos-Reason2 8B": (QWEN3_8B, "Qwen3-VL", (36, 32, 8, 128), (27, 16, 16, 72)),
    "Pixtral 12B": (PIXTRAL_12B, "Pixtral", (40, 32, 8, 128), (24, 16, 16, 64)),
    "Granite Vision 2B": (GRANITE_VISION_2B, "LLaVA-NeXT", (40, 32, 8, 64), (27, 16, 16, 72)),
}


@pytest.mark.parametrize("config, family, language, vision", FINE_TUNES.values(), ids=FINE_TUNES)
def test_a_fine_tune_is_read_by_the_family_of_its_base(tmp_path, config, family, language, vision):
    (tmp_path / "config.json").write_text(json.dumps(config))
    said = describe(str(tmp_path))
    assert said["family"] == family and said["towers"].keys() == {"language", "vision"}
    for name, shape in (("language", language), ("vision", vision)):
        tower = said["towers"][name]
        assert tuple(tower[field] for field in ("layers", "heads", "kv_heads", "head_dim")) == shape, name


def test_a_family_that_is_asked_for_and_does_not_fit_is_refused_with_what_is_not_there(tmp_path):
    text = {"hidden_size": 256, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1}
    vision = {"depth": 1, "hidden_size": 32, "num_heads": 2}
    config = {"model_type": "step3p7", "text_config": text, "vision_config": vision}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UnsupportedModel, match=r"step3p7, which the family Qwen3-VL does not fit, because .*visual"):
        describe(str(tmp_path), "qwen3_vl")
