"""The answer of a served model: text as it is, or a completion as it came; what is no whole answer is refused."""

import json

import pytest

from attention.errors import InvalidRequest
from attention.served_answer import answer_of

LONG = '{"bbox_2d": [1, 2, 3, 4], "label": "a \\"b\\" 日本"}\n' * 2_000


def completion(message, **more):
    return json.dumps({"id": "chatcmpl-1", "object": "chat.completion", "choices": [{"index": 0, **message}], **more})


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("red", "red"),
        ("red\n", "red"),
        ("red\r\n", "red"),
        ("red\n\n", "red\n"),
        (" red ", " red "),
        ("\ufeffred", "red"),
        ("red<|im_end|>", "red<|im_end|>"),
        (LONG, LONG[:-1]),
        ('{"point_2d": [1, 2]}', '{"point_2d": [1, 2]}'),
        ('{"choices": ["a", "b"]}', '{"choices": ["a", "b"]}'),
        ('{"choices": [{"index": 0}', '{"choices": [{"index": 0}'),
        ("{" * 50_000 + '"choices"', "{" * 50_000 + '"choices"'),
        (completion({"message": {"role": "assistant", "content": LONG}}), LONG),
        (completion({"message": {"content": "red\n", "reasoning_content": None, "tool_calls": []}}), "red\n"),
        ("\ufeff\n" + completion({"message": {"content": "red"}}, usage={"total_tokens": 3}), "red"),
        (completion({"text": "red", "logprobs": None}), "red"),
    ],
    ids=lambda text: text[:30],
)
def test_what_was_served_is_the_answer(text, answer):
    assert answer_of(text) == answer


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (completion({"message": {"content": "red", "reasoning_content": "it is"}}), "reasoning_content"),
        (completion({"message": {"content": "red", "reasoning": "it is"}}), "reasoning"),
        (completion({"message": {"content": None, "tool_calls": [{"id": "1"}]}}), "tool_calls"),
        (completion({"message": {"content": None}}), "content is None"),
        (completion({"message": {"content": ""}}), "content is ''"),
        (completion({"message": {"content": [{"type": "text", "text": "red"}]}}), "it must be a text"),
        (completion({"delta": {"content": "re"}}), "a piece of a stream"),
        ('{"choices": []}', "0 choices"),
        ('{"choices": [{"text": "a"}, {"text": "b"}]}', "2 choices"),
    ],
)
def test_a_completion_that_is_no_whole_answer_is_refused_by_name(text, words):
    with pytest.raises(InvalidRequest, match=r"^answer\.json is a completion") as refused:
        answer_of(text, "answer.json")
    assert words in str(refused.value)
