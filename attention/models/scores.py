"""The way from products of queries and keys to a row: scaled, capped, biased, with a learned sink logit beside.

Owns that formula, and a model's own output where stock SDPA leaves out a part of it (a cap, learned sink logits). Knows
no family and nothing of what is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

CHUNK_BYTES = 256 << 20  # of float32 scores at a time


@dataclass(frozen=True)
class Scores:
    """A layer's `scaling`, its `softcap` or None, its learned `sink_logits` and its `position_bias`, or None.

    score = scaling x query . key, then softcap x tanh(score / softcap), then + position_bias; a sink logit is one more
    term of the softmax's denominator and is no key, so that a row sums to less than 1.

    `sink_logits` [heads], or where each query has its own [batch, heads, queries, 1]; `position_bias` [batch, heads,
    queries, keys]: both as the model gave them. Of one entry of the batch (`of_entry`) they are float32 [heads] or
    [heads, queries], and [heads, queries, keys].
    """

    scaling: float
    softcap: float | None = None
    sink_logits: torch.Tensor | None = None
    position_bias: torch.Tensor | None = None

    @classmethod
    def of(cls, query: torch.Tensor, kwargs: dict[str, Any]) -> Scores:
        """The scores of an attention call with this query and these keyword arguments, by transformers' names.

        Costs no tensor operation.
        """
        scaling, sinks = kwargs.get("scaling"), kwargs.get("s_aux")
        own_sinks = kwargs.get("sinks")  # each query's
        sinks = sinks if own_sinks is None else own_sinks
        return cls(
            query.shape[-1] ** -0.5 if scaling is None else float(scaling),
            kwargs.get("softcap") or None,
            sinks,
            kwargs.get("position_bias"),
        )

    @property
    def are_plain(self) -> bool:
        """True where stock SDPA computes them: it adds a position bias by itself."""
        return self.softcap is None and self.sink_logits is None

    @property
    def how_to_read(self) -> str:
        """The formula of a layer's rows in one line, for its file."""
        capped = "" if self.softcap is None else ", then softcap * tanh(score / softcap) of that score"
        biased = "" if self.position_bias is None else ", plus position_bias[h, t, j]"
        sink = "sink_logits[h]" if self.sink_logits is None or self.sink_logits.dim() == 1 else "sink_logits[h, t]"
        beside = "" if self.sink_logits is None else f", with exp({sink}) as one more term of the denominator"
        return (
            "attention[i, h] is the row of token t = positions[i]: softmax over keys j of"
            f" query[h, t] . key[h // (heads // kv_heads), j] * scaling{capped}{biased},"
            f" in float32, over the keys that the mask shows{beside};"
            " any other row or column comes from query and key in the same way."
        )

    def of_entry(self, entry: int) -> Scores:
        """Those of one entry of the batch: sink logits [heads] or [heads, queries], bias [heads, queries, keys]."""
        sinks, bias = self.sink_logits, self.position_bias
        if sinks is not None and sinks.dim() > 1:
            sinks = sinks[entry if len(sinks) > 1 else 0, ..., 0]
        return replace(
            self,
            sink_logits=None if sinks is None else sinks.float(),
            position_bias=bias if bias is None else bias[entry if len(bias) > 1 else 0],
        )

    def of_queries(self, queries: slice | torch.Tensor) -> Scores:
        """Those of some of the queries."""
        sinks, bias = self.sink_logits, self.position_bias
        if bias is None and (sinks is None or sinks.dim() == 1):
            return self
        return replace(
            self,
            sink_logits=sinks
            if sinks is None or sinks.dim() == 1
            else (sinks[..., queries] if sinks.dim() == 2 else sinks[..., queries, :]),
            position_bias=bias if bias is None else bias[..., queries, :],
        )

    def finished(self, products: torch.Tensor, keys: slice = slice(None)) -> torch.Tensor:
        """Products [..., heads, queries, some keys] as scores: a new tensor where capped or biased, else the same one.

        `keys` are those of the products.
        """
        products = products.mul_(self.scaling) if not products.requires_grad else products * self.scaling
        scores = products if self.softcap is None else torch.tanh(products / self.softcap) * self.softcap
        if self.position_bias is None:
            return scores
        return scores + self.position_bias[..., keys].to(scores.device, torch.float32)

    def softmax(self, scores: torch.Tensor) -> torch.Tensor:
        """Rows of scores [..., heads, queries, keys], which are -inf where a key is hidden.

        A row that sees no key is NaN, or 0 where there is a sink logit.
        """
        if self.sink_logits is None:
            return torch.softmax(scores, dim=-1)
        sinks = self.sink_logits.to(scores.device, torch.float32)
        sinks = sinks[:, None, None] if sinks.dim() == 1 else sinks[..., None] if sinks.dim() == 2 else sinks
        sinks = sinks.expand(*scores.shape[:-1], 1)
        return torch.softmax(torch.cat([scores, sinks], dim=-1), dim=-1)[..., :-1]


def attend(module, query, key, value, mask, kwargs: dict[str, Any]) -> torch.Tensor:
    """The output of an attention call as SDPA gives it, [batch, queries, heads, head_dim], with cap and sink logits.

    query [batch, heads, queries, head_dim], key and value [batch, kv_heads, keys, head_dim], mask bool, or added to
    scores, [batch or 1, heads or 1, queries, keys], or None: then causal where the module is. Computed in float32, some
    queries at a time; of a backward pass too no more scores than theirs are held.
    """
    scores = Scores.of(query, kwargs)
    batch, heads, n_queries, _ = query.shape
    n_kv, n_keys = key.shape[1:3]
    causal = kwargs.get("is_causal")
    causal = getattr(module, "is_causal", True) if causal is None else causal
    is_causal = mask is None and causal and n_queries > 1
    keys, values = key.float().transpose(2, 3), value.float()
    step = max(1, CHUNK_BYTES // (4 * batch * heads * n_keys))

    def read(start: int) -> torch.Tensor:
        part = query[:, :, start : start + step].float()
        n = part.shape[2]
        grouped = part.reshape(batch, n_kv, heads // n_kv * n, -1)
        own = scores.of_queries(slice(start, start + n))
        seen = own.finished((grouped @ keys).view(batch, heads, n, n_keys))
        shown = None if mask is None else mask[:, :, start : start + step, :n_keys]
        if is_causal:
            queries = torch.arange(start, start + n, device=key.device)
            shown = torch.arange(n_keys, device=key.device) <= queries[:, None]
        if shown is not None:
            seen = seen.masked_fill(~shown, float("-inf")) if shown.dtype == torch.bool else seen + shown
        rows = torch.nn.functional.dropout(own.softmax(seen), kwargs.get("dropout", 0.0), module.training)
        if shown is not None:
            rows = rows.nan_to_num(0.0)  # a query that sees no key, as padding, reads nothing
        return (rows.reshape(batch, n_kv, heads // n_kv * n, n_keys) @ values).view(batch, heads, n, -1)

    outputs = [without_keeping(partial(read, start), query, keys, values) for start in range(0, n_queries, step)]
    return torch.cat(outputs, dim=2).transpose(1, 2).contiguous().to(query.dtype)


def without_keeping(compute: Callable[[], torch.Tensor], *leading: torch.Tensor) -> torch.Tensor:
    """The result of a computation of which nothing in between is kept for a backward pass: it is done once more there.

    `leading` are the tensors through which a gradient may go; where there is none it is computed as it stands.
    """
    if not torch.is_grad_enabled() or not any(each.requires_grad for each in leading):
        return compute()
    return checkpoint(compute, use_reentrant=False, preserve_rng_state=False)
