"""The tokens of a run as a table: a row for each, and parts of it by position or by the words that they spell."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple, overload

from attention.errors import NotInRun, quoted

from .tokens import find_words


class TokenRow(NamedTuple):
    """One token, as run.json has it; `grid`, `row`, `col` are None where it stands for no cell of a picture."""

    position: int
    id: int
    text: str
    role: str
    grid: int | None
    row: int | None
    col: int | None


class TokenTable(tuple[TokenRow, ...]):
    """Tokens in order, each a `TokenRow`; `pandas.DataFrame` makes a frame of it.

    `table[5]` is one token, `table[5:9]` a part of the table, `table["red"]` the tokens that spell these words,
    wherever they stand, and `table["what":"star"]` all from the first that spell the one to the last of the next that
    spell the other. Words are found as by `Run.find`. Raises NotInRun for words that do not stand there.
    """

    __slots__ = ()

    @classmethod
    def of(cls, records: Iterable[dict[str, Any]]) -> TokenTable:
        """The table of run.json's tokens."""
        rest = TokenRow._fields[1:]
        return cls(TokenRow._make([record["index"], *map(record.get, rest)]) for record in records)

    @property
    def positions(self) -> list[int]:
        """The tokens' positions in the run: what `query` and `key` count."""
        return [token.position for token in self]

    @property
    def text(self) -> str:
        """The words that the tokens spell together."""
        return "".join(token.text for token in self)

    @overload  # type: ignore[override]
    def __getitem__(self, chosen: int) -> TokenRow: ...
    @overload
    def __getitem__(self, chosen: slice | str) -> TokenTable: ...
    def __getitem__(self, chosen: int | slice | str) -> TokenRow | TokenTable:
        if isinstance(chosen, str):
            return TokenTable(tuple.__getitem__(self, i) for i in self._spelled(chosen))
        if isinstance(chosen, slice):
            return TokenTable(super().__getitem__(self._by_place(chosen)))
        return super().__getitem__(chosen)

    def _by_place(self, chosen: slice) -> slice:
        start, stop = chosen.start, chosen.stop
        if isinstance(start, str):
            start = self._spelled(start)[0]
        if isinstance(stop, str):
            after = self._spelled(stop, slice(start, None).indices(len(self))[0])
            end = next((here for here, then in pairwise(after) if then > here + 1), after[-1])
            stop = end + 1
        return slice(start, stop, chosen.step)

    def _spelled(self, words: str, first: int = 0) -> list[int]:
        """Places in this table, not before `first`, of the tokens that spell these words."""
        records = [token._asdict() for token in tuple.__getitem__(self, slice(first, None))]
        found = [first + i for i in find_words(records, words)]
        if not found:
            raise NotInRun(f"No tokens here spell {quoted(words)}; they spell {quoted(self.text)}.")
        return found
