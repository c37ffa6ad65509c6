"""DeepSeek-VL: one square view of each picture, the picture on a square of one colour.

```
DeepseekVLForConditionalGeneration
  model.language_model.layers.{i}.self_attn         one call a layer, causal
  model.vision_model.encoder.layers.{i}.self_attn   one call with a batch of pictures, full attention over patches
```
The longest side of a picture is resized to the tower's, the shorter one to no less than min_size. Patches and image
tokens are row by row; there is no class token.
"""

from __future__ import annotations

from transformers.models.deepseek_vl.processing_deepseek_vl import DeepseekVLProcessor

from attention.errors import UnsupportedModel

from .llava import Llava, Placement
from .towers import language_tower, vision_tower


class DeepseekVL(Llava):
    label = "DeepSeek-VL"
    processor_class = DeepseekVLProcessor

    def of(self, config):
        return self

    def _fit(self, processor, config):
        vision = config.vision_config
        processor.patch_size, processor.image_size = vision.patch_size, vision.image_size
        processor.image_token_id = config.image_token_id
        processor.num_additional_image_tokens, processor.vision_feature_select_strategy = 0, "full"
        settings = processor.image_processor
        if not settings.do_resize or not settings.do_pad or settings.size.height != vision.image_size:
            raise UnsupportedModel(
                "The image processor of this model does not put pictures on a square of the size that its vision tower "
                "reads. Take preprocessor_config.json from the model's own repository."
            )

    def towers(self, config):
        return {"language": language_tower(config.text_config), "vision": vision_tower(config.vision_config)}

    def attention_modules(self, model):
        return {
            "language": {i: layer.self_attn for i, layer in enumerate(model.model.language_model.layers)},
            "vision": {i: layer.self_attn for i, layer in enumerate(model.model.vision_model.encoder.layers)},
        }

    def placement(self, image_processor, image):
        return self._on_square(image, image_processor.size.height, image_processor.min_size)

    @staticmethod
    def _on_square(image, side: int, least: int) -> Placement:
        """Place on a picture of a square of this side, with the picture in its middle."""
        width, height = (max(round(length * side / max(image.size)), least) for length in image.size)
        scale_x, scale_y = image.width / width, image.height / height
        square = max(width, height)
        left, top = (square - width) // 2, (square - height) // 2
        return Placement((scale_x, scale_y), (-left * scale_x, -top * scale_y))


FAMILY = DeepseekVL()
