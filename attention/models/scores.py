"""The way from products of queries and keys to a row: scaled, capped, with a learned sink logit beside the keys.

Owns that formula for what stock SDPA leaves out (a cap, learned sink logits), for a model's own output as well as for
the rows that are kept of it. Knows no family and nothing of what is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

CHUNK_BYTES = 256 << 20  # of float32 scores at a time


@dataclass(frozen=True)
class Scores:
    """A layer's `scaling`, its `softcap` or None, and its learned `sink_logits` [heads] or None.

    score = scaling x query . key, then softcap x tanh(score / softcap); a sink logit is one more term of the softmax's
    denominator and is no key, so that a row sums to less than 1.
    """

    scaling: float
    softcap: float | None = None
    sink_logits: torch.Tensor | None = None

    @classmethod
    def of(cls, query: torch.Tensor, kwargs: dict[str, Any]) -> Scores:
        """The scores of an attention call with this query and these keyword arguments, by transformers' names."""
        scaling, sinks = kwargs.get("scaling"), kwargs.get("s_aux")
        return cls(
            query.shape[-1] ** -0.5 if scaling is None else float(scaling),
            kwargs.get("softcap") or None,
            None if sinks is None else sinks.float(),
        )

    @property
    def are_plain(self) -> bool:
        """True where stock SDPA computes them."""
        return self.softcap is None and self.sink_logits is None

    @property
    def how_to_read(self) -> str:
        """The formula of a layer's rows in one line, for its file."""
        capped = "" if self.softcap is None else ", then softcap * tanh(score / softcap) of that score"
        beside = "" if self.sink_logits is None else ", with exp(sink_logits[h]) as one more term of the denominator"
        return (
            "attention[i, h] is the row of token t = positions[i]: softmax over keys j of"
            f" query[h, t] . key[h // (heads // kv_heads), j] * scaling{capped},"
            f" in float32, over the keys that the mask shows{beside};"
            " any other row or column comes from query and key in the same way."
        )

    def finished(self, products: torch.Tensor) -> torch.Tensor:
        """Products of queries and keys as scores: a new tensor where they are capped, else the same one."""
        products = products.mul_(self.scaling) if not products.requires_grad else products * self.scaling
        return products if self.softcap is None else torch.tanh(products / self.softcap) * self.softcap

    def softmax(self, scores: torch.Tensor) -> torch.Tensor:
        """Rows of scores [..., heads, queries, keys], which are -inf where a key is hidden.

        A row that sees no key is NaN, or 0 where there is a sink logit.
        """
        if self.sink_logits is None:
            return torch.softmax(scores, dim=-1)
        sinks = self.sink_logits.to(scores.device)[:, None, None].expand(*scores.shape[:-1], 1)
        return torch.softmax(torch.cat([scores, sinks], dim=-1), dim=-1)[..., :-1]


def attend(module, query, key, value, mask, kwargs: dict[str, Any]) -> torch.Tensor:
    """The output of an attention call as SDPA gives it, [batch, queries, heads, head_dim], with cap and sink logits.

    query [batch, heads, queries, head_dim], key and value [batch, kv_heads, keys, head_dim], mask bool, or added to
    scores, [batch or 1, heads or 1, queries, keys], or None: then causal where the module is. Computed in float32.
    """
    scores = Scores.of(query, kwargs)
    batch, heads, n_queries, _ = query.shape
    n_kv, n_keys = key.shape[1:3]
    causal = kwargs.get("is_causal")
    causal = getattr(module, "is_causal", True) if causal is None else causal
    if mask is None and causal and n_queries > 1:
        mask = torch.ones(n_queries, n_keys, dtype=torch.bool, device=key.device).tril()[None, None]
    keys, values = key.float().transpose(2, 3), value.float()
    step = max(1, CHUNK_BYTES // (4 * batch * heads * n_keys))
    outputs = []
    for start in range(0, n_queries, step):
        part = query[:, :, start : start + step].float()
        n = part.shape[2]
        grouped = part.reshape(batch, n_kv, heads // n_kv * n, -1)
        seen = scores.finished(grouped @ keys).view(batch, heads, n, n_keys)
        if mask is not None:
            shown = mask[:, :, start : start + step, :n_keys]
            seen = seen.masked_fill(~shown, float("-inf")) if shown.dtype == torch.bool else seen + shown
        rows = torch.nn.functional.dropout(scores.softmax(seen), kwargs.get("dropout", 0.0), module.training)
        if mask is not None:
            rows = rows.nan_to_num(0.0)  # a query that sees no key, as padding, reads nothing
        outputs.append((rows.reshape(batch, n_kv, heads // n_kv * n, n_keys) @ values).view(batch, heads, n, -1))
    return torch.cat(outputs, dim=2).transpose(1, 2).contiguous().to(query.dtype)
