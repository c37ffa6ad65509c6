"""Attention sinks: keys that attract attention regardless of the prompt, and the rule that finds them."""

from __future__ import annotations

import torch

SINK_SHARE = 0.9  # of the rows, those in which a sink stands out


def find_sinks(
    rows: torch.Tensor,
    n_before: int = 0,
    value_norms: torch.Tensor | None = None,
    with_mass: torch.Tensor | None = None,
) -> torch.Tensor:
    """Find image cells that attract attention regardless of the prompt: bool [cells], from `rows` [rows, cells].

    The first `n_before` rows come before the question, and cannot know what it asks for. With p the rows divided by
    their sums (rows without mass left out), a cell is a sink when all of this holds:

    1. It stands out in at least 9 of 10 rows, and in at least 9 of 10 of those before the question. It stands out in a
       row where p > median + 5 * MAD of that row's cells and p > 1 / cells.
    2. It draws evenly: v, the standard deviation of p over rows divided by its mean c, is below the median of v (a cell
       without mass counts as uneven); and it stands out on the whole: c > median(c) + 5 * MAD(c).
    3. What is read there is little: its `value_norms` (lengths of the values, mean over heads) is below their median
       over cells. A thing that is looked at by every row holds something; a sink is where mass goes to be without
       effect.

    Fewer than two rows tell nothing. That visual sinks draw attention regardless of the text is observed by Kang et
    al., "See What You Are Told" (ICLR 2025, arXiv 2503.03321); that what is attended for nothing has short values, by
    Kobayashi et al., "Attention is Not Only a Weight" (EMNLP 2020, arXiv 2004.10102), and for sinks by Gu et al., "When
    Attention Sink Emerges in Language Models" (ICLR 2025, arXiv 2410.10781). The rule needs nothing known of a model.

    `with_mass` bool [rows], where it is known on the host which rows have mass, spares the wait for the device.
    """
    if with_mass is None:
        with_mass = rows.sum(dim=-1) > 0
    places = with_mass.nonzero()[:, 0].to(rows.device)
    return sinks_in(rows.index_select(0, places), int(with_mass[:n_before].sum()), value_norms)


def sinks_in(rows: torch.Tensor, n_before: int, value_norms: torch.Tensor | None) -> torch.Tensor:
    """The same of rows that all have mass, and of several layers at once: [..., rows, cells] -> bool [..., cells].

    `value_norms` [..., cells]. A device does not wait here: nothing depends on what it finds.
    """
    if rows.shape[-2] < 2 or rows.shape[-1] == 0:
        return torch.zeros(rows.shape[:-2] + rows.shape[-1:], dtype=torch.bool, device=rows.device)
    p = rows / rows.sum(dim=-1, keepdim=True)
    stands_out = (_above_spread(p) & (p > 1 / p.shape[-1])).float()
    c = p.mean(dim=-2)
    variation = torch.where(c > 0, p.std(dim=-2, correction=0) / c, torch.inf)
    found = (stands_out.mean(dim=-2) >= SINK_SHARE) & _above_spread(c) & (variation < _median(variation))
    if n_before:
        found &= stands_out[..., :n_before, :].mean(dim=-2) >= SINK_SHARE
    if value_norms is not None:
        found &= value_norms < _median(value_norms)
    return found


def _above_spread(values: torch.Tensor) -> torch.Tensor:
    """Values above the median by more than 5 median absolute deviations: [..., n] -> bool [..., n]."""
    median = _median(values)
    return values > median + 5 * _median((values - median).abs())


def _median(values: torch.Tensor) -> torch.Tensor:
    """[..., n] -> [..., 1]"""
    return values.median(dim=-1, keepdim=True).values
