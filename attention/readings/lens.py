"""Logit lens: the likeliest words of every token after every layer, through the final norm and the head.

A token's hidden state, read as if the layers after it were not there (nostalgebraist 2020; of image tokens Neo et al.
2024, arXiv:2410.07149). It says what a state is near to, in the model's own words, not what the model does with it.
Needs NumPy alone.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from attention.errors import DamagedRun, NotInRun, quoted
from attention.runs.layer_file import LayerFile

from .reading import Reading

KIND, FILE = "lens", "lens.safetensors"


class Lens(Reading):
    """A logit lens, read from its folder."""

    kind = KIND

    @property
    def layers_read(self) -> list[int]:
        """The layers after which words were read, ascending: all of the language model's."""
        return list(self.info["layers"])

    def words(self, layer: int, token: int) -> list[tuple[str, float]]:
        """The likeliest words of a token after a layer, (text, log-probability), the likeliest first."""
        if layer not in self.layers_read:
            raise NotInRun(f"There is no layer {quoted(layer)}: words were read after {len(self.layers_read)} layers.")
        n = len(self.run.info["tokens"])
        if isinstance(token, bool) or not isinstance(token, int | np.integer) or not 0 <= token < n:
            raise NotInRun(f"There is no token {quoted(token)}: this run has {n}.")
        at = self.layers_read.index(layer)
        ids, logprobs = self.tables
        pairs = zip(ids[at, token], logprobs[at, token], strict=True)
        return [(self.info["texts"][str(int(id_))], float(value)) for id_, value in pairs]

    @cached_property
    def tables(self) -> tuple[np.ndarray, np.ndarray]:
        """Ids of the vocabulary int32 and their log-probabilities float32, [layers, tokens, words] each."""
        with LayerFile(self.folder / FILE) as file:
            shapes = [file.shape(name) if name in file else () for name in ("ids", "logprobs")]
            if shapes[0] != shapes[1] or shapes[0][:2] != (len(self.layers_read), len(self.run.info["tokens"])):
                raise DamagedRun(f"{FILE} in {self.folder.name} does not fit its run. Remove it, and ask again.")
            ids, logprobs = file.read("ids"), file.read("logprobs")
        if (
            ids.dtype != np.int32
            or logprobs.dtype != np.float32
            or not set(map(str, np.unique(ids))) <= set(self.info["texts"])
        ):
            raise DamagedRun(f"{FILE} in {self.folder.name} does not fit its index. Remove it, and ask again.")
        return ids, logprobs

    def _check(self) -> None:
        if not isinstance(self.info["layers"], list) or not isinstance(self.info["texts"], dict) or self.info["towers"]:
            raise ValueError("layers must be a list, texts an object, and there are no towers")
