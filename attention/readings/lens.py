"""Logit lens: the likeliest words of every token after every layer, through the final norm and the head.

A token's hidden state, read as if the layers after it were not there (nostalgebraist 2020; of image tokens Neo et al.
2024, arXiv:2410.07149). It says what a state is near to, in the model's own words, not what the model does with it.
Needs NumPy alone.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from attention.errors import DamagedReading, NotInRun, quoted
from attention.limits import MAX_TABLE_VALUES

from .reading import Reading, tensor_file

KIND, FILE = "lens", "lens.safetensors"
ABOUT = ("language",)  # a resampler before it may make its own tokens: none of them has words
MOST_WORDS = 20  # of a token after a layer
UNPROVEN = (
    "This run has no answer: its queries and keys prove every layer up to the last attention; what the last layer, the "
    "final norm and the head do after it is this model's, and the run keeps nothing to hold that against."
)


class Lens(Reading):
    """A logit lens, read from its folder."""

    kind = KIND

    @property
    def layers_read(self) -> list[int]:
        """The layers after which words were read, ascending: all of the language model's."""
        return list(self.info["layers"])

    def words(self, layer: int, token: int) -> list[tuple[str, float]]:
        """The likeliest words of a token after a layer, (text, log-probability), the likeliest first.

        A piece of a sign is `bytes E2 98`; of ids without a text `unspelled` says so.
        """
        at = self._place(layer)
        n = len(self.run.info["tokens"])
        if isinstance(token, bool) or not isinstance(token, int | np.integer) or not 0 <= token < n:
            raise NotInRun(f"There is no token {quoted(token)}: this run has {n}.")
        ids, logprobs = self.tables
        pairs = zip(ids[at, token], logprobs[at, token], strict=True)
        return [(self.info["texts"][str(int(id_))], float(value)) for id_, value in pairs]

    def of_layer(self, layer: int) -> dict[str, Any]:
        """The words of every token after a layer, for programs; logarithms to four places.

        {layer, texts, unspelled, words, logprobs}: `words` has for each token, the likeliest first, places in `texts`;
        `unspelled` are those of texts that stand for bytes of a sign, or for an id without a word.
        """
        at = self._place(layer)
        ids, logprobs = (table[at] for table in self.tables)
        found, words = np.unique(ids, return_inverse=True)
        unspelled = set(self.info["unspelled"])
        return {
            "layer": int(layer),
            "texts": [self.info["texts"][str(each)] for each in found.tolist()],
            "unspelled": [place for place, each in enumerate(found.tolist()) if each in unspelled],
            "words": words.reshape(ids.shape).tolist(),
            "logprobs": np.round(logprobs.astype(np.float64), 4).tolist(),
        }

    @property
    def caution(self) -> str:
        """A sentence on what of it is not proven to be the run's, '' where all is."""
        return "" if self.run.info.get("logprobs") else UNPROVEN

    def _place(self, layer: int) -> int:
        if layer not in self.layers_read:
            raise NotInRun(f"There is no layer {quoted(layer)}: words were read after {len(self.layers_read)} layers.")
        return self.layers_read.index(layer)

    @cached_property
    def tables(self) -> tuple[np.ndarray, np.ndarray]:
        """Ids of the vocabulary int32 and their log-probabilities float32, [layers, tokens, words] each."""
        with tensor_file(self.folder / FILE) as file:
            shapes = [file.shape(name) if name in file else () for name in ("ids", "logprobs")]
            tokens = len(self.run.info["tokens"])
            is_of_run = shapes[0][:2] == (len(self.layers_read), tokens) and len(shapes[0]) == 3
            is_small = math.prod(shapes[0]) <= MAX_TABLE_VALUES and is_of_run and 1 <= shapes[0][2] <= MOST_WORDS
            if shapes[0] != shapes[1] or not is_small or file.dtype("ids") != "I32" or file.dtype("logprobs") != "F32":
                raise DamagedReading(f"{FILE} in {self.folder.name} does not fit its run. Remove it, and ask again.")
            ids, logprobs = file.read("ids"), file.read("logprobs")
        own, texts = np.unique(ids), self.info["texts"]
        if not np.isfinite(logprobs).all() or len(own) > len(texts) or not set(map(str, own.tolist())) <= set(texts):
            raise DamagedReading(f"{FILE} in {self.folder.name} does not fit its index. Remove it, and ask again.")
        return ids, logprobs

    def _check(self) -> None:
        lists = all(isinstance(self.info[name], list) for name in ("layers", "unspelled"))
        if not lists or not isinstance(self.info["texts"], dict) or self.info["towers"]:
            raise ValueError("layers and unspelled must be lists, texts an object, and there are no towers")
        layers = self.info["layers"]
        if (
            not layers
            or sorted(set(layers)) != layers
            or not all(type(layer) is int and layer >= 0 for layer in layers)
        ):
            raise ValueError("layers are not ascending")
        if not all(isinstance(text, str) for text in self.info["texts"].values()):
            raise ValueError("a text is none")
        if not all(type(each) is int for each in self.info["unspelled"]):
            raise ValueError("an id of unspelled is none")

    @property
    def own_name(self) -> str:
        return KIND

    def files(self) -> list[str]:
        return [FILE]

    def _check_files(self) -> None:
        self.tables  # noqa: B018 - reading them holds them against the index
