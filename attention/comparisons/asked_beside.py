"""Questions to a comparison beside its members: noise floors, and how a change comes about.

Owns the names of these, what they cost in passes, and the phrasings that a floor takes where a person gives none. Knows
no model and no file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from attention.errors import InvalidRequest, quoted
from attention.request import Request

ZERO, DTYPE, PARAPHRASE = "zero", "dtype", "paraphrase"
FLOORS = (ZERO, DTYPE, PARAPHRASE)
DIRECT, INHERITED = "direct", "inherited"
PARTS = (DIRECT, INHERITED)
OTHER_DTYPE = {"float32": "bfloat16", "bfloat16": "float32", "float16": "float32"}
# Around any question or instruction: it asks for the same then.
PHRASINGS = ("Please respond to this: {prompt}", "{prompt} Thank you.")
MOST_PARAPHRASES = 4
FLOORS_WORDS = (
    "noise floors that each change is set beside: zero (the base once more), dtype (the base in another number "
    "format), paraphrase (the base asked the same in other words)"
)
PARTS_WORDS = (
    "tell each head's change apart: by its layer's own weights (the adapter's queries and keys on the base's inputs), "
    "and inherited (the base's on the adapter's); two passes for each adapter"
)
PARAPHRASES_WORDS = f"the question in other words, at most {MOST_PARAPHRASES} texts, instead of two that a table makes"


@dataclass(frozen=True)
class Beside:
    """Everything that is measured beside the change of each member; made by `asked_beside`.

    `floors` are kinds of FLOORS, `paraphrases` texts that stand in the place of the prompt, `parts` whether the change
    of each adapter's heads is told apart: by a layer's own weights (direct), and by what enters it (inherited).
    """

    floors: tuple[str, ...] = ()
    paraphrases: tuple[str, ...] = ()
    parts: bool = False

    def phrasings(self, prompt: str) -> tuple[str, ...]:
        """The paraphrases of a prompt: those that were given, else those of the table."""
        return self.paraphrases or tuple(each.format(prompt=prompt) for each in PHRASINGS)

    @property
    def floor_passes(self) -> int:
        """Number of passes that the floors take, none of which writes an answer."""
        return sum((len(self.paraphrases) or len(PHRASINGS)) if kind == PARAPHRASE else 1 for kind in self.floors)

    def passes(self, n_adapters: int) -> int:
        """Number of passes beside those of the members, of which so many are adapters."""
        return self.floor_passes + (len(PARTS) * n_adapters if self.parts else 0)

    def to_job(self) -> dict[str, Any]:
        """The same as plain data, as `asked_beside` takes it by name."""
        return {"floors": list(self.floors), "paraphrases": list(self.paraphrases), "parts": self.parts}


NOTHING = Beside()


def asked_beside(
    floors: str | Sequence[str] | None = None,
    paraphrases: str | Sequence[str] | None = None,
    parts: bool | None = False,
) -> Beside:
    """Read as a person gives it what is asked beside the members: kinds of FLOORS in a list, or with commas between.

    Paraphrases ask for the floor of that name. Raises InvalidRequest for another kind, and for a paraphrase that is no
    text or is empty.
    """
    kinds = floors.split(",") if isinstance(floors, str) else floors or []
    if not isinstance(kinds, list | tuple) or not all(isinstance(kind, str) for kind in kinds):
        raise InvalidRequest(f"floors is {quoted(floors)}; it must be a list of {', '.join(FLOORS)}.")
    wanted = [kind.strip() for kind in kinds if kind.strip()]
    for kind in wanted:
        if kind not in FLOORS:
            raise InvalidRequest(f"There is no noise floor {quoted(kind)}. There is {', '.join(FLOORS)}.")
    texts = [paraphrases] if isinstance(paraphrases, str) else list(paraphrases or ())
    for text in texts:
        if not isinstance(text, str) or not text.strip():
            raise InvalidRequest(f"A paraphrase is {quoted(text)}; it must be a text that asks the same.")
    if len(texts) > MOST_PARAPHRASES:
        raise InvalidRequest(f"{len(texts)} paraphrases were given; {MOST_PARAPHRASES} are the most that are read.")
    if len(set(texts)) < len(texts):
        raise InvalidRequest("Two paraphrases are the same text: their difference would be none.")
    if not isinstance(parts, bool) and parts is not None:
        raise InvalidRequest(f"parts is {quoted(parts)}; it must be true or false.")
    if texts and PARAPHRASE not in wanted:
        wanted.append(PARAPHRASE)
    return Beside(tuple(kind for kind in FLOORS if kind in wanted), tuple(texts), bool(parts))


def prompt_of(request: Request) -> str:
    """The last words that a person says in a request: what a paraphrase takes the place of."""
    parts = request.conversation()[-1]["content"]
    return next((part["text"] for part in reversed(parts) if part["type"] == "text"), "")


def rephrased(request: Request, text: str) -> Request:
    """The same request with other last words. Raises InvalidRequest where they are the same, or there are none."""
    if text == prompt_of(request):
        raise InvalidRequest(f"The paraphrase {quoted(text)} is the prompt itself: it differs in nothing.")
    if request.messages is None:
        return dataclasses.replace(request, prompt=text)
    *before, last = request.messages
    places = [at for at, part in enumerate(last["content"]) if part["type"] == "text"]
    if not places:
        raise InvalidRequest("The last message has no text: there is nothing to say otherwise.")
    content = [part | {"text": text} if at == places[-1] else part for at, part in enumerate(last["content"])]
    return dataclasses.replace(request, messages=[*before, last | {"content": content}])
