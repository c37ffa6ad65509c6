"""The bundled model's tokenizer: byte-level BPE in Qwen's own class.

Owns the vocabulary and the chat template. Any text can be written (every byte is a token); the words of the scenes are
one token each. Knows nothing about the model.
"""

from __future__ import annotations

import json

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import Qwen2Tokenizer

from .words import (
    COLORS,
    GERMAN,
    GERMAN_REQUESTS,
    IMAGE_WORDS,
    LABELS,
    ORDINALS,
    PLACES,
    POINT_WORDINGS,
    SHAPES,
    SIDE_WORDINGS,
    SIDES,
    WORDINGS,
    click_answer,
)

SYSTEM = "You are a helpful assistant."
# Qwen's own names. Special tokens can be left out when text is decoded; <think> stays, as in Qwen3-VL.
SPECIAL = (
    "<|im_end|>", "<|endoftext|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>",
    "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>", "<|im_start|>",
)  # fmt: skip
VISIBLE = ("<think>", "</think>")

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

# Qwen3-VL's template without its tool part.
CHAT_TEMPLATE = """\
{%- set image_count = namespace(value=0) %}
{%- set video_count = namespace(value=0) %}
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' }}
    {%- if message.content is string %}
        {{- message.content }}
    {%- else %}
        {%- for content in message.content %}
            {%- if content.type == 'image' or 'image' in content or 'image_url' in content %}
                {%- set image_count.value = image_count.value + 1 %}
                {%- if add_vision_id %}
                    {{- 'Picture ' ~ image_count.value ~ ': ' }}
                {%- endif %}
                {{- '<|vision_start|><|image_pad|><|vision_end|>' }}
            {%- elif content.type == 'video' or 'video' in content %}
                {%- set video_count.value = video_count.value + 1 %}
                {%- if add_vision_id %}
                    {{- 'Video ' ~ video_count.value ~ ': ' }}
                {%- endif %}
                {{- '<|vision_start|><|video_pad|><|vision_end|>' }}
            {%- elif 'text' in content %}
                {{- content.text }}
            {%- endif %}
        {%- endfor %}
    {%- endif %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""


def build_tokenizer() -> Qwen2Tokenizer:
    """Build the tokenizer from the words of the scenes. The same words always give the same tokenizer."""
    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizers.NFC()
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2048,  # never reached: the merges end when every word below is one token
        min_frequency=1,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(_corpus(), trainer)
    vocab = bpe.get_vocab()
    merges = [tuple(merge) for merge in json.loads(bpe.to_str())["model"]["merges"]]
    # Ids in the order of Qwen: bytes and merges first, the special tokens behind them.
    vocab = {token: index for index, token in enumerate(sorted(vocab, key=vocab.get))}
    tokenizer = Qwen2Tokenizer(
        vocab=vocab,
        merges=merges,
        eos_token=SPECIAL[0],
        pad_token=SPECIAL[1],
        unk_token=None,
        additional_special_tokens=list(SPECIAL[2:]),
        model_max_length=4096,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in VISIBLE])
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _corpus() -> list[str]:
    labels = [label for names in LABELS.values() for label in names]
    words = [*COLORS, *SHAPES, *(f"{shape}s" for shape in SHAPES), "object", "objects", "yes", "no", "Save"]
    words += [word for row in PLACES for place in row for word in place.split()]
    words += [*GERMAN.values(), *labels, *(label.lower() for label in labels), *LABELS, "check box"]
    texts = ["user\n", "assistant\n", "system\n", SYSTEM, "Picture 1: ", *GERMAN_REQUESTS]
    texts += [click_answer(120, 340, "Save")] * 4
    for kind, wordings in WORDINGS.items():
        sides = SIDE_WORDINGS["left of"] + SIDE_WORDINGS["right of"] + SIDES if kind == "relation" else ("",)
        for wording in wordings:
            for article, side in [(article, side) for article in ("a", "an") for side in sides]:
                text = wording.format(
                    color="red",
                    thing="star",
                    things="stars",
                    article=article,
                    side=side,
                    label="Save",
                    control="button",
                )
                texts += [text, text[0].upper() + text[1:]]
    texts += [f" in the {ordinal} {word}?" for ordinal in ORDINALS for word in IMAGE_WORDS]
    texts += [wording.format(thing="red star") for wording in POINT_WORDINGS] * 2
    for word in words:
        # An answer starts without a space, a word inside a sentence with one.
        texts += [word, f" {word}", word.capitalize()] * 4
    return texts
