"""Modules that the names and patterns of a config stand for, by PEFT's rules.

Owns the matching. A pattern is somebody else's regular expression, which can be made to run for ever: it is matched in
a process of its own, with a time limit. Plain names never are patterns here and cost no process.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping

from attention.errors import AdapterRefused
from attention.limits import MAX_PATTERN_CHARACTERS

from .base_modules import Base
from .lora_config import PLAIN, LoraSettings, shown

MATCHER = """
import json, re, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
except Exception:
    pass
asked = json.load(sys.stdin)
found = []
for pattern in asked["patterns"]:
    try:
        match = re.compile(pattern).fullmatch
        found.append([i for i, name in enumerate(asked["names"]) if match(name)])
    except Exception as error:
        found.append(str(error)[:100] or type(error).__name__)
json.dump(found, sys.stdout)
"""


class Targets:
    """Meaning of a config's names and patterns for modules of these names (in the layout of the adapter's file)."""

    def __init__(self, settings: LoraSettings, names: Iterable[str], seconds: float, who: str):
        self._settings = settings
        self._targets, self._excludes = (
            each if isinstance(each, str) else frozenset(each) for each in (settings.targets, settings.excludes)
        )
        pieces = [each for each in (settings.targets, settings.excludes) if isinstance(each, str) and _is_pattern(each)]
        tails = [key for key in {**settings.ranks, **settings.alphas} if not PLAIN.fullmatch(key)]
        patterns = {piece: piece for piece in pieces} | {_tail(key): key for key in tails}
        self._found = matches(patterns, list(names), seconds, who) if patterns else {}
        self._ranks, self._alphas = (_ByName(values, self._found) for values in (settings.ranks, settings.alphas))

    def has(self, name: str, is_linear: bool) -> bool:
        """True if a module is a target. `is_linear`: it is of the kind that "all-linear" stands for."""
        settings = self._settings
        if self._is_listed(self._excludes, name) or any(f".{word}." in f".{name}." for word in settings.replaces):
            return False
        if isinstance(self._targets, str) and not _is_pattern(self._targets):
            return is_linear
        if not self._is_listed(self._targets, name):
            return False
        if settings.layers is None or name in self._targets:
            return True
        return _layer_index(name, settings.layer_lists) in settings.layers

    def rank(self, name: str) -> int:
        """The rank that the config gives to a module."""
        return int((self._ranks.all(name) or [self._settings.rank])[0])

    def alphas(self, name: str) -> list[float]:
        """The alpha that the config gives to a module, and after it those of other keys that stand for it as well.

        PEFT sorts the keys as it saves them, so the first need not be the one that it was trained with.
        """
        return self._alphas.all(name) or [self._settings.alpha]

    def _is_listed(self, listed: frozenset[str] | str, name: str) -> bool:
        return name in self._found[listed] if isinstance(listed, str) else any(end in listed for end in _ends(name))


class _ByName:
    """rank_pattern or alpha_pattern: of the keys that stand for a module, the first in the config's order holds."""

    def __init__(self, values: Mapping[str, float], found: dict[str, set[str]]):
        self._values = list(values.values())
        self._plain = {key: place for place, key in enumerate(values) if PLAIN.fullmatch(key)}
        self._matched: dict[str, list[int]] = defaultdict(list)
        for place, key in enumerate(values):
            for name in found.get(_tail(key), ()):
                self._matched[name].append(place)

    def all(self, name: str) -> list[float]:
        places = [self._plain[end] for end in _ends(name) if end in self._plain]
        return [self._values[place] for place in sorted([*places, *self._matched.get(name, ())])]


def matches(patterns: dict[str, str], names: list[str], seconds: float, who: str) -> dict[str, set[str]]:
    """The names that match each pattern as a whole: {pattern: names}; `patterns` has what to call each in a message.

    Raises AdapterRefused when one is no regular expression, or takes longer than `seconds`.
    """
    for pattern, called in patterns.items():
        if len(pattern) > MAX_PATTERN_CHARACTERS:
            raise AdapterRefused(f"{who} has a pattern of {len(pattern):,} characters ({shown(called, 40)}).")
    asked = json.dumps({"patterns": list(patterns), "names": names})
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter, and a program of ours; the patterns are its input
            [sys.executable, "-I", "-S", "-c", MATCHER],
            input=asked,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        worst = max(patterns.values(), key=len)
        raise AdapterRefused(
            f"{who} has a pattern in its config that takes longer than {seconds:g} s to match ({shown(worst, 60)}). "
            "Give target_modules as a list of names."
        ) from None
    if done.returncode:
        raise AdapterRefused(f"{who} has a pattern in its config that cannot be matched. Give a list of names.")
    found = {}
    for (pattern, called), result in zip(patterns.items(), json.loads(done.stdout), strict=True):
        if isinstance(result, str):
            raise AdapterRefused(f"{who} has a pattern that is no regular expression: {shown(called, 60)} ({result}).")
        found[pattern] = {names[index] for index in result}
    return found


def all_linear(base: Base, name: str) -> bool:
    """True if "all-linear" stands for a module: every linear one but the output layer."""
    return base.modules[name].kind == "linear" and name != base.head


def _is_pattern(listed: tuple[str, ...] | str) -> bool:
    return isinstance(listed, str) and listed.lower() != "all-linear"


def _tail(key: str) -> str:
    """PEFT's pattern for a key of rank_pattern or alpha_pattern."""
    return rf"(.*\.)?({key})"


def _ends(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[first:]) for first in range(len(parts))]


def _layer_index(name: str, lists: tuple[str, ...]) -> int | None:
    """The number after the first list of layers in a name, or after the first of these lists."""
    found = re.match(r".*?\.[^.]*\.(\d+)\.", name)
    for word in lists:
        found = re.match(rf"(?:^|.*?\.){re.escape(word)}\.(\d+)\.", name)
        if found:
            break
    return int(found[1]) if found else None
