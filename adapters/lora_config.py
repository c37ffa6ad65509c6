"""An adapter's config, and which of it may be attached: LoRA, DoRA and rank-stabilised LoRA, nothing else.

Owns the decision on each field of PEFT's LoraConfig. Knows neither the base nor the weights. Imports no PEFT: its
version is looked up, its defaults are written down here.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from attention.errors import AdapterRefused, shortened
from attention.limits import MAX_ALPHA, MAX_MODULE_NAMES

# Every field of LoraConfig in PEFT 0.21 is in one of three tables (a test compares them with the installed version).
READ = {
    *("peft_type", "r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "use_dora", "lora_bias", "bias"),
    *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "modules_to_save"),
    *("init_lora_weights", "ensure_weight_tying", "fan_in_fan_out", "target_parameters", "trainable_token_indices"),
    *("base_model_name_or_path", "auto_mapping", "peft_version"),
}
# They matter while training only, or belong to a way of initialisation, which `init_lora_weights` decides.
PASSED_OVER = {
    *("task_type", "inference_mode", "revision", "lora_dropout", "runtime_config", "megatron_core"),
    *("loftq_config", "eva_config", "corda_config", "lora_ga_config", "qalora_group_size"),
}
MERGE = (
    "Merge it where it was trained (merge_and_unload, then save_pretrained), and give the merged folder as the model"
)
# Kinds of adapters that PEFT cannot merge into a model: they add tokens or layers, or choose for each input anew.
UNMERGEABLE = {
    *("PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "CPT", "CARTRIDGE"),
    *("ADAPTION_PROMPT", "POLY", "XLORA", "SHADOW"),
}
# Set to anything, they make the adapted model something that is not base + LoRA, or change the base itself.
REFUSED = {
    "layer_replication": "it repeats layers of the base, so the adapted model is another one",
    "megatron_config": "it is for Megatron's parallel layers",
    "alora_invocation_tokens": "it acts (aLoRA) only after certain tokens",
    "use_qalora": "it is a QALoRA adapter, made for quantised weights",
    "velora_config": "it is a VeLoRA adapter",
    "monteclora_config": "it draws its weights at random (MonteCLoRA)",
    "use_bdlora": "its matrices are block-diagonal (BD-LoRA)",
    "arrow_config": "it routes between several adapters (Arrow)",
    "kasa_config": "it cuts the base's own weights (KaSA)",
}
UNMERGEABLE_FIELDS = ("megatron_config", "alora_invocation_tokens", "use_qalora", "arrow_config")
# `init_lora_weights`: these leave the base alone (the file's weights are set afterwards) ...
HARMLESS_STARTS = ("gaussian", "eva", "orthogonal", "mica")
# ... these subtract from the base what the adapter starts with: as the adapter is loaded or, lora_ga, in training ...
CHANGING_STARTS = ("pissa", "olora", "corda", "lora_ga")
# ... and this rounds the base's weights as if they were stored in fewer bits.
ROUNDING_START = "loftq"
# Records inside the config, without an effect here; PEFT fails on anything else there.
RECORDS = ("eva_config", "corda_config", "lora_ga_config", "velora_config", "kasa_config", "arrow_config")
TASKS = ("CAUSAL_LM", "SEQ_2_SEQ_LM", "SEQ_CLS", "TOKEN_CLS", "QUESTION_ANS", "FEATURE_EXTRACTION")

PLAIN = re.compile(r"[\w.-]+")  # the name of a module, or the end of one: no pattern


@dataclass(frozen=True)
class LoraSettings:
    """The fields that decide what is attached. `targets` and `excludes` are names, or one pattern.

    `has_bias`: B has a bias of its own (lora_bias); `bias`: which of the base's own were trained. `parameters` are
    ends of names of parameters (target_parameters); `tokens` are rows of the input embedding, or of modules by name.
    """

    rank: int
    alpha: float
    targets: tuple[str, ...] | str
    excludes: tuple[str, ...] | str = ()
    ranks: dict[str, int] = field(default_factory=dict)
    alphas: dict[str, float] = field(default_factory=dict)
    layers: tuple[int, ...] | None = None
    layer_lists: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    use_rslora: bool = False
    use_dora: bool = False
    has_bias: bool = False
    bias: str = "none"
    ties: bool = False
    parameters: tuple[str, ...] = ()
    tokens: tuple[int, ...] | dict[str, tuple[int, ...]] = ()
    base_named: str | None = None
    base_class: str | None = None
    peft_version: str | None = None
    warnings: tuple[str, ...] = ()

    def scaling(self, rank: int, alpha: float) -> float:
        """Factor of the product B A."""
        return alpha / (math.sqrt(rank) if self.use_rslora else rank)


def read_settings(config: dict[str, Any], who: str) -> LoraSettings:
    """Judge a config. `who` begins the message of the AdapterRefused that it raises."""
    read = _Reader(config, who)
    kind = config.get("peft_type")
    if kind != "LORA":
        way = f"{MERGE}." if isinstance(kind, str) else "PEFT writes LORA there for LoRA and DoRA."
        if isinstance(kind, str) and kind.upper() in UNMERGEABLE:
            way = "PEFT cannot merge this kind into a model either."
        raise AdapterRefused(
            f"{who} is not a LoRA adapter: its peft_type is {shown(kind)}. Only LORA can be attached. {way}"
        )
    for name, reason in REFUSED.items():
        if config.get(name):
            way = "It cannot be compared with its base here" if name in UNMERGEABLE_FIELDS else MERGE
            raise AdapterRefused(f"{who} sets {name}: {reason}. {way}.")
    _judge_start(config.get("init_lora_weights", True), who)
    read.task()
    for name in RECORDS:
        read.mapping(name)
    settings = LoraSettings(
        rank=read.rank(config.get("r", 8), "r"),
        alpha=read.alpha(config.get("lora_alpha", 8), "lora_alpha"),
        targets=read.targets(),
        excludes=read.excludes(),
        ranks=read.by_name("rank_pattern", read.rank),
        alphas=read.by_name("alpha_pattern", read.alpha),
        layers=read.layers(),
        layer_lists=read.names("layers_pattern"),
        replaces=read.names("modules_to_save"),
        use_rslora=read.flag("use_rslora"),
        use_dora=read.flag("use_dora"),
        has_bias=read.flag("lora_bias"),
        bias=read.bias(),
        ties=read.flag("ensure_weight_tying"),
        parameters=read.names("target_parameters"),
        tokens=read.tokens(),
        base_named=read.text(config.get("base_model_name_or_path"), "base_model_name_or_path"),
        base_class=read.text((read.mapping("auto_mapping")).get("base_model_class"), "base_model_class"),
        peft_version=read.text(config.get("peft_version"), "peft_version"),
        warnings=tuple(_warnings(config, read.flag("fan_in_fan_out"))),
    )
    _judge_together(settings, config, who)
    return settings


def shown(value: Any, most: int = 120) -> str:
    """A value of a file as it can be shown anywhere; longer than most, as weights' names differ at their ends."""
    try:
        text = value if isinstance(value, str) else json.dumps(value)
    except (ValueError, TypeError, RecursionError):
        text = f"a {type(value).__name__}"
    return shortened(text, most)


def is_newer(version: str | None, installed: str) -> bool:
    """True if a version of PEFT, as a config names it, is later than another. What is no version is not."""
    parts = [re.findall(r"\d{1,6}", str(each).partition("@")[0])[:3] for each in (version or "", installed)]
    return bool(parts[0]) and [int(part) for part in parts[0]] > [int(part) for part in parts[1]]


def _judge_start(start: Any, who: str) -> None:
    if start is None or isinstance(start, bool) or start in HARMLESS_STARTS:
        return
    if isinstance(start, str) and start.lower().startswith(CHANGING_STARTS):
        raise AdapterRefused(
            f"{who} was initialised with {shown(start)}, which changes the base's weights, so the base would not be "
            "the base any more. Save it as plain LoRA, save_pretrained(..., path_initial_model_for_weight_conversion="
            f"the folder of the adapter before its training). Or m{MERGE[1:]}."
        )
    if isinstance(start, str) and start.lower() == ROUNDING_START:
        raise AdapterRefused(
            f"{who} was initialised with {shown(start)}, which rounds the base's weights, so the base would not be "
            f"the base any more, and PEFT cannot convert it to plain LoRA. {MERGE}."
        )
    raise AdapterRefused(f"{who} has an unknown init_lora_weights, {shown(start)}; it may change the base's weights.")


def _judge_together(settings: LoraSettings, config: dict[str, Any], who: str) -> None:
    """Refuse fields that do not go together, as PEFT does."""
    if isinstance(settings.targets, str) and (settings.layers is not None or settings.layer_lists):
        raise AdapterRefused(f"{who} has layers_to_transform or layers_pattern beside a pattern in target_modules.")
    if settings.layer_lists and settings.layers is None:
        raise AdapterRefused(f"{who} has layers_pattern without layers_to_transform.")
    if settings.has_bias and (settings.use_dora or not isinstance(config.get("init_lora_weights", True), bool)):
        other = "use_dora" if settings.use_dora else "init_lora_weights"
        raise AdapterRefused(f"{who} sets lora_bias together with {other}, which PEFT refuses.")


def _warnings(config: dict[str, Any], fans: bool) -> list[str]:
    found = []
    unknown = sorted(shown(name, 40) for name in config.keys() - READ - PASSED_OVER - REFUSED.keys() if config[name])
    if unknown:
        found.append(
            f"Its config sets what this version does not know ({', '.join(unknown[:5])}); that has no effect here."
        )
    version = config.get("peft_version")
    if isinstance(version, str) and is_newer(version, metadata.version("peft")):
        found.append(f"It was written by PEFT {shown(version, 30)}; PEFT {metadata.version('peft')} is installed here.")
    if fans:
        found.append("fan_in_fan_out is set; no module of this model is stored that way, so it has no effect.")
    return found


class _Reader:
    """Values of a config by name, each of the type that it must have."""

    def __init__(self, config: dict[str, Any], who: str):
        self._config, self._who = config, who

    def wrong(self, name: str, value: Any, what: str) -> AdapterRefused:
        return AdapterRefused(f"{self._who} has {name} {shown(value)} in its config; it must be {what}.")

    def rank(self, value: Any, name: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self.wrong(name, value, "a whole number above 0")
        return value

    def alpha(self, value: Any, name: str) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < abs(value) <= MAX_ALPHA:
            raise self.wrong(name, value, f"a number other than 0, at most {MAX_ALPHA:g}")
        return value

    def flag(self, name: str) -> bool:
        value = self._config.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(name, value, "true or false")
        return bool(value)

    def text(self, value: Any, name: str) -> str | None:
        if value is not None and not isinstance(value, str):
            raise self.wrong(name, value, "a text or null")
        return value or None

    def bias(self) -> str:
        value = self._config.get("bias", "none")
        if value not in ("none", "all", "lora_only"):
            raise self.wrong("bias", value, "none, all or lora_only")
        return value

    def task(self) -> None:
        value = self._config.get("task_type")
        if value is not None and value not in TASKS:
            raise self.wrong("task_type", value, f"null, {', '.join(TASKS[:-1])} or {TASKS[-1]}")

    def mapping(self, name: str) -> dict[str, Any]:
        value = self._config.get(name)
        if value is not None and not isinstance(value, dict):
            raise self.wrong(name, value, "an object or null")
        return value or {}

    def by_name(self, name: str, read: Any) -> dict[str, Any]:
        if self._config.get(name, {}) is None:  # which PEFT cannot load
            raise self.wrong(name, None, "an object")
        return {key: read(value, f"{name} {shown(key, 40)}") for key, value in self.mapping(name).items()}

    def targets(self) -> tuple[str, ...] | str:
        """The modules that are targets: their names, or one pattern."""
        value = self._config.get("target_modules")
        return value if isinstance(value, str) and value else self._names("target_modules", value, or_pattern=True)

    def excludes(self) -> tuple[str, ...] | str:
        """The modules that are none, likewise."""
        value = self._config.get("exclude_modules")
        if value is None or (isinstance(value, str) and value):
            return value or ()
        return self._names("exclude_modules", value, or_pattern=True)

    def names(self, name: str) -> tuple[str, ...]:
        """Names of modules, which are no patterns; none where the field is left out."""
        value = self._config.get(name)
        if value is None:
            return ()
        if isinstance(value, str) and name == "layers_pattern":
            value = [value] if value else []
        found = self._names(name, value)
        if len(found) > MAX_MODULE_NAMES:
            raise self.wrong(name, f"{len(found):,} names", f"at most {MAX_MODULE_NAMES:,} names")
        odd = next((each for each in found if not PLAIN.fullmatch(each)), None)
        if odd is not None:
            raise self.wrong(name, odd, "names of modules, without signs of a pattern")
        return found

    def _names(self, name: str, value: object, or_pattern: bool = False) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
            raise self.wrong(name, value, "a list of names" + (" or a pattern" if or_pattern else ""))
        return tuple(value)

    def tokens(self) -> tuple[int, ...] | dict[str, tuple[int, ...]]:
        name = "trainable_token_indices"
        value = self._config.get(name) or []
        lists = value if isinstance(value, dict) else {"": value}
        for each in lists.values():
            if not isinstance(each, list) or not all(isinstance(n, int) and not isinstance(n, bool) for n in each):
                raise self.wrong(name, value, "a list of tokens, or one for each of several modules")
            if len(set(each)) < len(each) or min(each, default=0) < 0:
                raise self.wrong(name, value, "a list of different tokens")
        found = {module: tuple(each) for module, each in lists.items()}
        return found if isinstance(value, dict) else found[""]

    def layers(self) -> tuple[int, ...] | None:
        value = self._config.get("layers_to_transform")
        listed = [value] if isinstance(value, int) else value
        if listed is None or listed == []:
            return None
        if not isinstance(listed, list) or not all(isinstance(n, int) and not isinstance(n, bool) for n in listed):
            raise self.wrong("layers_to_transform", value, "a layer's index or a list of them")
        return tuple(listed)
