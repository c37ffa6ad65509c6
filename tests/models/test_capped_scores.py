"""Attention with a cap and with learned sink logits is the eager one of the models that have them."""

from types import SimpleNamespace

import pytest
import torch
from held_memory import HeldMemory, bytes_kept_for_backward
from transformers.models.gemma2 import modeling_gemma2
from transformers.models.gpt_oss import modeling_gpt_oss
from transformers.models.inkling2 import modeling_inkling2

from attention.models import scores
from attention.models.hook import _attention
from attention.models.scores import Scores, attend

HEADS, KV_HEADS, KEYS, HEAD_DIM = 4, 2, 11, 8


def module(sinks=None, causal=True):
    return SimpleNamespace(
        num_key_value_groups=HEADS // KV_HEADS, head_dim=HEAD_DIM, training=False, is_causal=causal, sinks=sinks
    )


def tensors(queries, dtype=torch.float32, batch=2):
    generator = torch.Generator().manual_seed(queries)
    shapes = [(batch, HEADS, queries, HEAD_DIM), *[(batch, KV_HEADS, KEYS, HEAD_DIM)] * 2]
    return [(torch.randn(shape, generator=generator) * 3).to(dtype) for shape in shapes]


def hidden(queries):
    """A window that moves, with the last keys hidden from all."""
    at = torch.arange(KEYS - queries, KEYS)[:, None]
    keys = torch.arange(KEYS)[None]
    return (keys > at) | (keys < at - 4)


def added(mask):
    return torch.zeros(mask.shape).masked_fill(mask, torch.finfo(torch.float32).min)[None, None]


@pytest.mark.parametrize("queries", [KEYS, 1])
@pytest.mark.parametrize("mask", ["bool", "added", "none"])
def test_a_cap_is_gemma_2s(queries, mask):
    """`none` is a model's way to say: in order, or of the one query of a step of generation, all."""
    query, key, value = tensors(queries)
    hides = hidden(queries) if mask != "none" else torch.ones(queries, KEYS, dtype=torch.bool).triu(KEYS - queries + 1)
    given = {"bool": ~hides[None, None], "added": added(hides), "none": None}[mask]
    options = {"scaling": 0.7, "softcap": 3.0}
    expected, _ = modeling_gemma2.eager_attention_forward(module(), query, key, value, added(hides), **options)
    assert torch.allclose(attend(module(), query, key, value, given, options), expected, atol=1e-6)
    plain, _ = modeling_gemma2.eager_attention_forward(module(), query, key, value, added(hides), scaling=0.7)
    assert (plain - expected).abs().max() > 0.1, "the cap is at work"


def test_sink_logits_are_gpt_osss():
    query, key, value = tensors(KEYS)
    sinks = torch.tensor([2.0, -1.0, 9.0, 0.0])
    hides = hidden(KEYS)
    expected, rows = modeling_gpt_oss.eager_attention_forward(
        module(sinks), query, key, value, added(hides), scaling=0.5
    )
    found = attend(module(), query, key, value, ~hides[None, None], {"scaling": 0.5, "s_aux": sinks})
    assert torch.allclose(found, expected, atol=1e-6)
    assert rows.sum(dim=-1)[:, 2].min() < 0.5, "a sink takes some"


def test_a_bias_by_position_and_sinks_of_each_query_are_inklings():
    query, key, value = tensors(KEYS)
    generator = torch.Generator().manual_seed(1)
    own = {
        "position_bias": torch.randn(2, HEADS, KEYS, KEYS, generator=generator) * 3,
        "sinks": torch.randn(2, HEADS, KEYS, 1, generator=generator) * 3,
    }
    hides = hidden(KEYS)
    expected, rows = modeling_inkling2.eager_attention_forward(
        module(), query, key, value, added(hides), scaling=0.5, **own
    )
    options = {"scaling": 0.5, **own}
    found = attend(module(), query, key, value, ~hides[None, None], options)
    assert torch.allclose(found, expected, atol=1e-6)
    formula = Scores.of(query, options)
    assert not formula.are_plain and Scores.of(query, {"position_bias": own["position_bias"]}).are_plain
    keys = key.repeat_interleave(HEADS // KV_HEADS, dim=1)
    inside = hides[3:7, :2].all(dim=1) & hides[3:7, 9:].all(dim=1)  # queries that see keys 2 to 8 alone
    assert inside.any()
    for entry in range(2):
        one = formula.of_entry(entry).of_queries(slice(3, 7))
        part = one.finished(query[entry, :, 3:7] @ keys[entry].transpose(1, 2)[..., 2:9], slice(2, 9))
        part = one.softmax(part.masked_fill(hides[3:7, 2:9], float("-inf")))
        assert torch.allclose(part[:, inside], rows[entry, :, 3:7, 2:9][:, inside], atol=1e-6)
    assert "position_bias[h, t, j]" in formula.how_to_read and "sink_logits[h, t]" in formula.how_to_read


def test_what_is_computed_in_parts_is_the_same(monkeypatch):
    query, key, value = tensors(KEYS)
    options = {"softcap": 3.0}
    whole = attend(module(), query, key, value, ~hidden(KEYS)[None, None], options)
    monkeypatch.setattr(scores, "CHUNK_BYTES", 4 * 2 * HEADS * KEYS * 2)
    assert torch.allclose(attend(module(), query, key, value, ~hidden(KEYS)[None, None], options), whole, atol=1e-6)


def test_a_tower_that_reads_everything_and_half_precision():
    query, key, value = tensors(KEYS, torch.bfloat16)
    found = attend(module(causal=False), query, key, value, None, {"softcap": 3.0})
    expected, _ = modeling_gemma2.eager_attention_forward(
        module(), query.float(), key.float(), value.float(), None, softcap=3.0
    )
    # sums in another order may round to the neighbour
    assert found.dtype == torch.bfloat16 and torch.allclose(found.float(), expected, rtol=2**-8, atol=1e-6)


def test_gradients_pass():
    query, key, value = (tensor.requires_grad_() for tensor in tensors(KEYS))
    sinks = torch.zeros(HEADS, requires_grad=True)
    attend(module(), query, key, value, None, {"softcap": 3.0, "s_aux": sinks}).square().sum().backward()
    assert all(part.grad is not None and part.grad.abs().sum() > 0 for part in (query, key, value, sinks))


@pytest.mark.parametrize("kind", ["capped", "mask"])
def test_what_a_pass_back_needs_is_linear_in_tokens_and_its_gradients_are_the_same(kind, monkeypatch):
    """Also where attention is written out, and under a mask of a model's own, which is tokens x tokens."""

    def passed(n, keeps=False):
        query, key, value = (torch.randn(1, heads, n, HEAD_DIM, requires_grad=True) for heads in (HEADS, 2, 2))
        mask = None if kind == "capped" else torch.ones(n, n, dtype=torch.bool).tril()[None, None]
        options = {"scaling": 0.7} | ({"softcap": 3.0, "s_aux": torch.zeros(HEADS)} if kind == "capped" else {})
        if keeps:
            for name in ("attention.models.scores.without_keeping", "attention.models.hook.without_keeping"):
                monkeypatch.setattr(name, lambda compute, *leading: compute())
        with HeldMemory() as held:
            n_bytes, output = bytes_kept_for_backward(
                lambda: _attention(module(), query, key, value, mask, **options)[0]
            )
            gradients = torch.autograd.grad(output.square().sum(), (query, key, value))
        return n_bytes, held.peak, gradients

    monkeypatch.setattr(scores, "CHUNK_BYTES", 1 << 18)
    torch.manual_seed(0)
    (small, peak, _), (large, larger, found) = passed(256), passed(512)
    assert large <= 2.1 * small and (kind == "mask" or larger <= 2.5 * peak)
    torch.manual_seed(0)
    passed(256)
    kept, _, expected = passed(512, keeps=True)
    assert kept > 512 * 512 > 2 * large
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


def test_rows_say_what_they_are():
    plain, capped = Scores(0.5), Scores(0.5, 3.0, torch.zeros(2))
    assert plain.are_plain and not capped.are_plain
    assert "tanh" in capped.how_to_read and "sink_logits" in capped.how_to_read and "tanh" not in plain.how_to_read
    rows = capped.softmax(torch.tensor([[[0.0, float("-inf")]], [[float("-inf")] * 2]]))
    assert torch.allclose(rows, torch.tensor([[[0.5, 0.0]], [[0.0, 0.0]]]))
