"""Target of a reading: the tokens of a run's answer whose log-probability is asked about, or one token against another.

Owns what may be asked and the name of the folder that it leads to. Knows no model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from attention.errors import InvalidRequest, quoted
from attention.runs.run import Run


@dataclass(frozen=True)
class Target:
    """The sum of the log-probabilities of `tokens`, positions in the run's sequence, ascending.

    With `against`, an id of the model's vocabulary, it is the logit of the one token less that of the other.
    """

    tokens: tuple[int, ...]
    against: int | None = None

    @classmethod
    def of(cls, run: Run, tokens: int | Sequence[int] | None = None, against: int | None = None) -> Self:
        """The target of a run's answer: all of its tokens that are no control tokens, unless some are named.

        Raises InvalidRequest for a token that is none of the answer.
        """
        first, n = run.info.get("prompt_tokens"), len(run.info["tokens"])
        if first is None or first >= n:
            raise InvalidRequest("This run has no answer, so there is no token whose probability could be asked about.")
        if tokens is None:
            roles = [token["role"] for token in run.info["tokens"]]
            chosen = [i for i in range(first, n) if roles[i] != "special"] or [*range(first, n)]
        else:
            chosen = list(tokens) if isinstance(tokens, Iterable) else [tokens]
        for token in chosen:
            if isinstance(token, bool) or not isinstance(token, int | np.integer) or not first <= token < n:
                raise InvalidRequest(
                    f"Token {quoted(token)} is no token of the answer, which has positions {first} to {n - 1}."
                )
        if not chosen:
            raise InvalidRequest("No token of the answer was named. Name one, or leave it out for all of them.")
        if against is not None:
            if isinstance(against, bool) or not isinstance(against, int | np.integer) or against < 0:
                raise InvalidRequest(f"The other token is {quoted(against)}; it must be an id of the vocabulary.")
            if len(chosen) != 1:
                raise InvalidRequest(f"One token is set against another; {len(chosen)} were named.")
        return cls(tuple(sorted({int(token) for token in chosen})), None if against is None else int(against))

    def to_dict(self) -> dict[str, Any]:
        return {"tokens": list(self.tokens), "against": self.against}

    def name(self, kind: str, towers: Sequence[str]) -> str:
        """The name of the folder of a reading of this kind, the same for the same question."""
        asked = {"kind": kind, "towers": sorted(towers), **self.to_dict()}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]
