"""Qwen3.5: of six language layers two have softmax attention; a template that begins with a thought."""

from transformers import Qwen3_5Config, Qwen3_5ForConditionalGeneration

from tiny_families.qwen2_vl import TEXT, write_model, write_processors

# As published, but for tools: texts are trimmed; a thought stays after the last question alone.
TEMPLATE = """{%- macro content_of(message) -%}
{%- for part in message.content -%}
{%- if part.type == 'image' -%}
{%- if message.role == 'system' -%}{{ raise_exception('System message cannot contain images.') }}{%- endif -%}
<|vision_start|><|image_pad|><|vision_end|>
{%- elif part.type == 'video' -%}<|vision_start|><|video_pad|><|vision_end|>
{%- else -%}{{ part.text }}{%- endif -%}
{%- endfor -%}
{%- endmacro -%}
{%- set last = namespace(query=-1) -%}
{%- for message in messages -%}
{%- if message.role == 'user' -%}{%- set last.query = loop.index0 -%}{%- endif -%}
{%- endfor -%}
{%- if last.query < 0 -%}{{ raise_exception('No user query found in messages.') }}{%- endif -%}
{%- for message in messages -%}
{%- if message.role == 'system' and not loop.first -%}
{{ raise_exception('System message must be at the beginning.') }}
{%- endif -%}
{%- set content = content_of(message) | trim -%}
{{ '<|im_start|>' + message.role + '\n' }}
{%- if message.role == 'assistant' -%}
{%- set thought = '' -%}
{%- if '</think>' in content -%}
{%- set thought = content.split('</think>')[0].split('<think>')[-1] | trim -%}
{%- set content = content.split('</think>')[-1].lstrip('\n') -%}
{%- endif -%}
{%- if loop.index0 > last.query -%}{{ '<think>\n' + thought + '\n</think>\n\n' }}{%- endif -%}
{%- endif -%}
{{ content + '<|im_end|>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{ '<|im_start|>assistant\n<think>\n' }}
{%- if enable_thinking is defined and enable_thinking is false -%}{{ '\n</think>\n\n' }}{%- endif -%}
{%- endif -%}"""
ROPE = {"rope_type": "default", "rope_theta": 1e7, "mrope_section": [2, 1, 1], "mrope_interleaved": True}
LANGUAGE = {
    **{name: size for name, size in TEXT.items() if not name.startswith("rope")},
    "num_hidden_layers": 6,
    "full_attention_interval": 3,
    "head_dim": 32,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "rope_parameters": {**ROPE, "partial_rotary_factor": 0.25},
}
VISION = {
    "depth": 2,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_heads": 2,
    "out_hidden_size": 48,
    "num_position_embeddings": 64,
}


def write(folder):
    write_folder(folder, Qwen3_5ForConditionalGeneration, Qwen3_5Config, LANGUAGE)


def write_folder(folder, model_class, config_class, text):
    write_model(folder, model_class, config_class, text, VISION, added=("<think>", "</think>"))
    write_processors(folder, "Qwen3VLProcessor")
    (folder / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
