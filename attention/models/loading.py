"""Load a base model once, on a device, in a dtype; keep it; free it before another.

Owns where a model comes from (bundled, a local folder, the Hub) and which are offered. Only safetensors weights
are loaded and no code of a repository is ever run. Knows neither runs nor Gradio. Callers hold `INFERENCE` around
everything that uses a model.
"""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import torch

from attention.environment import POCKET, POCKET_ID, is_zero_gpu
from attention.errors import AttentionError, InvalidRequest, ModelUnavailable, UnsupportedModel, quoted, shortened

from . import quantisation
from .config_check import check_config
from .loading_report import (
    begins_with_mark,
    check_files,
    check_is_no_adapter,
    check_json_start,
    check_weights,
    conversion_error,
    left_out,
)
from .size_check import check_layers, check_size

HUB_MODELS = (
    "Qwen/Qwen3-VL-2B-Instruct",
    "Qwen/Qwen3-VL-2B-Thinking",
    "Qwen/Qwen3-VL-4B-Instruct",
    "Qwen/Qwen3-VL-8B-Instruct",
)
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
DTYPES = ("auto", "float32", "bfloat16", "float16")
MODEL_FILES = ("*.json", "*.safetensors", "*.jinja", "merges.txt")
HUB_TIMEOUT_S = 10
ROOM = 1.5  # a device that holds so many times a model's weights holds a run beside them
CHUNK_BYTES = 1 << 20  # of a download: it counts, and may be stopped, once for each
WATCH_SECONDS = 0.25
STOP_SECONDS = 0.5  # a download that was stopped is waited for no longer than that

Watch = Callable[[int, int], None]  # told of a download's bytes, done and in all (0: not known); may raise, to stop it

# One job at a time loads, switches, generates and captures; whoever only reads runs never takes it.
INFERENCE = threading.Lock()


@dataclass
class LoadedModel:
    """A model in memory, ready to capture. `path` is the local folder that its files came from."""

    id: str
    revision: str | None
    path: str
    family: Any
    model: torch.nn.Module
    processor: Any
    device: str
    dtype: str
    stamp: tuple = ()
    notes: tuple[str, ...] = ()  # on how it was loaded, for whoever sees a run of it


_kept: LoadedModel | None = None


def default_model() -> str:
    """The bundled model, or where a CUDA device works the smallest Qwen3-VL."""
    return HUB_MODELS[0] if has_cuda() else POCKET_ID


def offered_models() -> list[dict]:
    """Models that a person can choose from, the default first: [{id, label, family, note}]."""
    pocket = {
        "id": POCKET_ID,
        "label": "pocket (bundled)",
        "family": "qwen3_vl",
        "note": "A tiny demo model: drawn shapes and windows only.",
    }
    hub = [
        {"id": name, "label": name, "family": "qwen3_vl", "note": "Downloaded from the Hub when first used."}
        for name in HUB_MODELS
    ]
    return [*hub, pocket] if has_cuda() else [pocket, *hub]


@cache
def has_cuda() -> bool:
    """True if a CUDA device can be used, not merely seen."""
    if not torch.cuda.is_available():
        return False
    if is_zero_gpu():
        return True  # there, the device exists only inside a job
    try:
        torch.zeros(1, device="cuda")
    except RuntimeError:
        return False
    return True


def device_notice() -> str | None:
    """Advice on what to install where there is an NVIDIA card that torch cannot use; None where all is well."""
    if has_cuda() or not (Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi")):
        return None
    if torch.version.cuda is None:
        return (
            "There is an NVIDIA graphics card, but this PyTorch was built without CUDA, so models run on the CPU. "
            "Install a CUDA build with the selector on pytorch.org."
        )
    return (
        f"There is an NVIDIA graphics card, but PyTorch (built for CUDA {torch.version.cuda}) cannot use it, "
        "so models run on the CPU. "
        "Update the driver, or install a build for its CUDA version with the selector on pytorch.org."
    )


def choose_device(device: str) -> str:
    """`auto`, `cpu`, `mps`, `cuda` or `cuda:N` as a device that is there; `cuda` is all CUDA devices together.

    Raises InvalidRequest.
    """
    if device == "auto":
        return "cuda" if has_cuda() else "cpu"
    if device == "cpu":
        return device
    if device == "mps":
        if torch.backends.mps.is_available():
            return device
        raise InvalidRequest("Device mps is not available here. Use auto or cpu.")
    match = re.fullmatch(r"cuda(?::(\d+))?", device)
    if not match:
        raise InvalidRequest(f"Device {quoted(device)} is unknown. Use auto, cuda, cuda:N, cpu or mps.")
    if not has_cuda():
        raise InvalidRequest(
            f"Device {device} cannot be used here. {device_notice() or 'There is no CUDA device.'} Use auto or cpu."
        )
    if match[1] and int(match[1]) >= torch.cuda.device_count():
        raise InvalidRequest(
            f"There is no {device}: this machine has {torch.cuda.device_count()} CUDA device(s), from cuda:0 on."
        )
    return device


def devices(device: str) -> list[str]:
    """The devices that a chosen one stands for: several only for `cuda`, on a machine that has them."""
    count = torch.cuda.device_count() if device == "cuda" else 1
    return [f"cuda:{index}" for index in range(count)] if count > 1 else [device]


def choose_dtype(dtype: str, device: str, config) -> torch.dtype:
    """`auto` is float32 on a CPU and what the model was published in elsewhere."""
    if dtype not in DTYPES:
        raise InvalidRequest(f"dtype {quoted(dtype)} is unknown. Use {', '.join(DTYPES)}.")
    if dtype != "auto":
        return getattr(torch, dtype)
    return torch.float32 if device == "cpu" else (getattr(config, "dtype", None) or torch.bfloat16)


def locate(model_id: str, config_only: bool = False, watch: Watch | None = None) -> tuple[str, str | None]:
    """The local folder of a model and its revision (a commit of the Hub, or None), downloading what is missing.

    `watch` is told of a download's bytes several times a second. Raises what it raises, and ModelUnavailable when
    there is no such folder or repository, or the Hub cannot be reached.
    """
    if model_id == POCKET_ID:
        return str(POCKET), None
    if _kept is not None and _kept.id == model_id and _kept.revision is not None:
        # Asked of the Hub once; and on ZeroGPU the weights' files are gone as soon as they are in memory.
        return _kept.path, _kept.revision
    folder = Path(model_id).expanduser()
    if model_id and _is_there(folder.is_dir):
        if not (folder / "config.json").is_file():
            check_is_no_adapter(folder, model_id)
            raise ModelUnavailable(f"{folder} is not a model folder: it has no config.json.")
        return str(folder.resolve()), None
    if model_id and _is_there(folder.is_file):
        raise ModelUnavailable(
            f"{shortened(model_id)} is a file. Give the model's folder, in which its config.json lies."
        )
    if not HUB_ID.fullmatch(model_id):
        raise ModelUnavailable(
            f"There is no model {quoted(model_id)}: it is neither {POCKET_ID}, nor a folder, nor a Hub id such as "
            f"{HUB_MODELS[0]}."
        )
    return _download(model_id, config_only, watch)


def _is_there(asked: Callable[[], bool]) -> bool:
    """Ask something of a path, made of a text that need not be one."""
    try:
        return asked()
    except (OSError, ValueError):  # too long a name, or one that no file can have
        return False


def _download(model_id: str, config_only: bool, watch: Watch | None = None) -> tuple[str, str]:
    os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", str(HUB_TIMEOUT_S))
    from huggingface_hub import errors as hub_errors

    try:
        folder = Download(model_id, ["config.json"] if config_only else list(MODEL_FILES), watch).folder()
    except AttentionError:
        raise  # from `watch`
    except hub_errors.GatedRepoError:
        raise ModelUnavailable(
            f"{model_id} is gated. Accept its terms on huggingface.co and log in with `hf auth login`."
        ) from None
    except hub_errors.RepositoryNotFoundError:
        raise ModelUnavailable(
            f"There is no model {model_id} on the Hub, or it is private. Check the spelling, or log in."
        ) from None
    except (hub_errors.LocalEntryNotFoundError, hub_errors.OfflineModeIsEnabled) as error:
        raise ModelUnavailable(
            f"{model_id} is not on this machine and the Hub cannot be reached ({cause_of(error)}). "
            f"Check the connection, give a local folder, or use the bundled model ({POCKET_ID})."
        ) from None
    except Exception as error:  # noqa: BLE001 - the Hub's two ways of transfer fail with errors of many libraries
        raise ModelUnavailable(
            f"The download of {shortened(model_id)} did not come to its end ({cause_of(error)}). "
            "Try again: files that are complete are kept."
        ) from None
    path = Path(folder)
    if not (path / "config.json").is_file():
        raise ModelUnavailable(f"{model_id} has no config.json, so it is not a model of the transformers library.")
    if not config_only and not any(path.glob("*.safetensors")):
        raise ModelUnavailable(
            f"No safetensors weights of {model_id} are on this machine. The download may have been interrupted: "
            "try again online."
        )
    return folder, path.name


class Download:
    """Fetches what is missing of a Hub repository in threads of their own, so that it can be stopped at any moment.

    Of the files that fit `patterns`, at `revision` (None: the default branch). Counts the bytes of the Hub's own
    progress bars.
    """

    def __init__(self, repo_id: str, patterns: list[str], watch: Watch | None, revision: str | None = None):
        self._repo_id, self._patterns, self._watch = repo_id, patterns, watch or (lambda *_: None)
        self._revision = revision
        self._total = 0
        self._bars: list = []  # of bytes: one for those received, one for those written
        self._counting = threading.Lock()
        self._is_stopped = threading.Event()
        self._fetched: Future[str] = Future()

    def folder(self) -> str:
        """The local folder, once it is complete. Raises what the Hub's library, or `watch`, does."""
        # a daemon: the Hub's library waits for some answers without end, and nobody should wait for it at the exit
        threading.Thread(target=self._run, name=f"download {self._repo_id}", daemon=True).start()
        try:
            while not wait([self._fetched], WATCH_SECONDS).done:
                done = max((bar.seen for bar in self._bars), default=0)
                self._watch(min(done, self._total), self._total)
        except BaseException:
            self._is_stopped.set()
            _abort_xet()
            wait([self._fetched], STOP_SECONDS)
            raise
        folder = self._fetched.result()
        self._watch(self._total, self._total)
        return folder

    def _run(self) -> None:
        try:
            self._fetched.set_result(self._fetch())
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            self._fetched.set_exception(error)

    def _fetch(self) -> str:
        import huggingface_hub as hub

        hub.constants.DOWNLOAD_CHUNK_SIZE = CHUNK_BYTES
        while True:
            self._bars = []
            try:
                return hub.snapshot_download(
                    self._repo_id,
                    revision=self._revision,
                    allow_patterns=self._patterns,
                    etag_timeout=HUB_TIMEOUT_S,
                    tqdm_class=self._bar_class(),
                )
            except KeyboardInterrupt:  # only xet raises it here: another download of this process was stopped
                if self._is_stopped.is_set():
                    raise

    def _bar_class(self) -> type:
        from huggingface_hub.utils import tqdm

        download = self

        class Bar(tqdm):
            """Counts, and lets no further file or chunk begin once the download is stopped."""

            def __init__(self, *args, **kwargs):
                self.seen = 0
                super().__init__(*args, **kwargs)
                if kwargs.get("unit") == "B":
                    download._watch_bar(self)

            def refresh(self, *args, **kwargs):  # also called as a file begins
                download._check_stopped()
                return super().refresh(*args, **kwargs)

            def update(self, n=1):
                download._check_stopped()
                with download._counting:
                    self.seen += int(n)
                return super().update(n)

        return Bar

    def _watch_bar(self, bar) -> None:
        if not self._bars:
            self._total = self._missing_bytes()
        self._bars.append(bar)

    def _check_stopped(self) -> None:
        """In one of the threads that fetch a file; xet's own, which call here as well, would print the error."""
        if self._is_stopped.is_set() and threading.current_thread().name.startswith("ThreadPoolExecutor"):
            raise InterruptedError("the download was stopped")

    def _missing_bytes(self) -> int:
        """From the listing that the Hub's library has just written; 0 when it could not."""
        import huggingface_hub as hub

        try:
            files = hub.get_cached_repo_tree(self._repo_id, revision=self._revision)
        except hub.errors.CachedRepoTreeNotFoundError:
            return 0
        wanted = hub.utils.filter_repo_objects(files, allow_patterns=self._patterns, key=lambda file: file.path)
        return sum(
            file.size
            for file in wanted
            if not hub.try_to_load_from_cache(self._repo_id, file.path, revision=self._revision)
        )


def _abort_xet() -> None:
    """Stop the process's transfers by xet, which has no gentler way; other downloads begin theirs anew."""
    try:
        from huggingface_hub.utils._xet import abort_xet_session
    except ImportError:  # another version of the Hub's library: files that have begun come to their end, unseen
        return
    abort_xet_session()


def cause_of(error: BaseException) -> str:
    """The first sentence of the error that began it, with its kind."""
    while error.__cause__ is not None:
        error = error.__cause__
    sentence = str(error).split("\n")[0].split(". ")[0]
    return f"{type(error).__name__}: {sentence}" if sentence else type(error).__name__


def read_config(path: str, model_type: str | None = None):
    """The config of a local folder and its family. Raises UnsupportedModel or ModelUnavailable."""
    from transformers import AutoConfig

    from attention import families

    for name in ("config.json", "generation_config.json"):  # transformers passes over one of these in silence
        check_json_start(Path(path) / name, path)
    check_config(path)
    try:
        config = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001 - as in `load`: a config of anybody's
        raise ModelUnavailable(f"config.json of {path} cannot be used: {_first_line(error)}") from None
    if not isinstance(getattr(config, "dtype", None), torch.dtype | None):
        raise ModelUnavailable(f"config.json of {path} has dtype {quoted(config.dtype)}. Use a name such as bfloat16.")
    family = families.find(model_type or config.model_type)
    if model_type and config.model_type in families.names() and families.find(config.model_type).label != family.label:
        raise UnsupportedModel(
            f"{path} is a {families.find(config.model_type).label} model ({config.model_type}), which "
            f"{quoted(model_type)} does not fit. Leave the model type out."
        )
    try:
        family.towers(config)
    except (AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UnsupportedModel(
            f"config.json of {path} (model type {config.model_type}) does not describe a {family.label} model: "
            f"{_first_line(error)}"
        ) from None
    return config, family


def _check_modules(model: torch.nn.Module, config, family, path: str) -> None:
    """Raise UnsupportedModel where a model does not have the attention layers that its family expects."""
    try:
        has = {tower: set(by_layer) for tower, by_layer in family.attention_modules(model).items()}
    except (AttributeError, KeyError, TypeError, IndexError) as error:
        reason = _first_line(error)
    else:
        expected = {tower: set(shape.layers) for tower, shape in family.towers(config).items()}
        odd = [tower for tower in expected if has.get(tower) != expected[tower]]
        if not odd:
            return
        reason = f"its {odd[0]} tower has {len(has.get(odd[0], ()))} attention layers, not {len(expected[odd[0]])}"
    raise UnsupportedModel(
        f"{path} (model type {config.model_type}) is not built as a {family.label} model is: {reason}."
    )


def _first_line(error: BaseException) -> str:
    """An error's first line, and the second where the first only leads to it."""
    first, *rest = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return shortened(f"{first} {rest[0]}" if rest and first.endswith(":") else first, 200)


def describe(model_id: str, model_type: str | None = None) -> dict:
    """Towers, layers and heads of a model from its config alone: {id, model_type, family, towers: {name: {...}}}."""
    path, revision = locate(model_id, config_only=True)
    config, family = read_config(path, model_type)
    towers = {
        name: {
            "layers": len(shape.layers),
            "layer_indices": list(shape.layers),
            "linear_layers": list(shape.linear_layers),
            "heads": shape.heads,
            "kv_heads": shape.kv_heads,
            "head_dim": shape.head_dim,
        }
        for name, shape in family.towers(config).items()
    }
    return {
        "id": model_id,
        "revision": revision,
        "model_type": config.model_type,
        "family": family.label,
        "towers": towers,
    }


PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json", "tokenizer_config.json", "tokenizer.json")


def processor_of(path: str, family) -> Any:
    """The processor of a local folder, loaded once. Raises ModelUnavailable when its files are missing or broken."""
    return _load_processor(path, family, folder_stamp(path, "*.j*"))


@lru_cache(maxsize=4)
def _load_processor(path: str, family, stamp: tuple) -> Any:
    try:
        processor = family.load_processor(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        broken = _broken_json(path)
        where = f"its file {broken}" if broken else _first_line(error)
        has_file, has_other = ((Path(path) / name).is_file() for name in PROCESSOR_FILES[:2])
        if not has_file and (not has_other or "load image processor" in str(error)):
            where = f"there is no {PROCESSOR_FILES[0]}. Copy it from the model that this one was trained from."
        files = ", ".join(name for name in PROCESSOR_FILES if (Path(path) / name).is_file()) or "no file of its own"
        raise ModelUnavailable(f"The processor of {path} cannot be loaded ({files}): {where}") from None
    for holder in (processor, processor.tokenizer):
        template = getattr(holder, "chat_template", None)
        named = template if isinstance(template, dict) else {"": template}
        if not all(isinstance(each, str | None) for each in named.values()):
            raise ModelUnavailable(
                f"The chat_template of {path} is {quoted(template)}, which must be a text (chat_template.json, "
                "tokenizer_config.json). Copy it from the model that this one was trained from."
            )
    # without any of its files transformers makes a tokenizer that knows no word
    names = type(processor.tokenizer).vocab_files_names
    known = sorted({names[kind] for kind in ("tokenizer_file", "vocab_file") if kind in names})
    if not any((Path(path) / name).is_file() for name in known):
        raise ModelUnavailable(
            f"{path} has no tokenizer ({' or '.join(known)}). Copy it from the model that this one was trained from."
        )
    return processor


def _broken_json(path: str) -> str | None:
    """The name of a folder's first JSON file that is none, and what it is; transformers names only some."""
    for file in sorted(Path(path).glob("*.json")):
        if begins_with_mark(file):
            return f"{file.name} begins with a byte order mark. Save it as UTF-8 without one (without BOM)."
        try:
            json.loads(file.read_bytes())
        except (OSError, ValueError, RecursionError):
            return f"{file.name} is not JSON"
    return None


def folder_stamp(path: str, pattern: str = "*") -> tuple:
    """Stamp that changes when a folder's files do: somebody who trains writes new weights to the same place."""
    files = sorted(file for file in Path(path).glob(pattern) if file.is_file())
    return tuple((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)


def weight_bytes(path: str) -> int:
    """Bytes of a folder's safetensors files together; 0 where it has none yet."""
    return sum(file.stat().st_size for file in Path(path).glob("*.safetensors"))


def memory_bytes(path: str, config, dtype: torch.dtype) -> int:
    """Bytes that the weights of a folder take in memory, in `dtype` where they are not quantised."""
    packed = quantisation.memory_bytes(path, config, dtype, path)
    return weight_bytes(path) * dtype.itemsize // published_dtype(config).itemsize if packed is None else packed


def is_kept(path: str) -> bool:
    """True if this folder's model is the one in memory."""
    return _kept is not None and _kept.path == path and (_kept.revision or _kept.stamp == folder_stamp(path))


def load(
    model_id: str,
    device: str = "auto",
    dtype: str = "auto",
    model_type: str | None = None,
    watch: Watch | None = None,
) -> LoadedModel:
    """The model, loaded or as kept from before; another one is freed first. `watch` is told of a download.

    Weights go straight to the device; on a CPU, in the files' own dtype, they stay in the mapped files. Raises
    ModelUnavailable, UnsupportedModel or InvalidRequest.
    """
    global _kept  # noqa: PLW0603 - one base model at a time is the point
    from transformers import AutoModelForImageTextToText

    from attention.models.hook import ATTENTION

    path, revision = locate(model_id, watch=watch)
    config, family = read_config(path, model_type)
    device = choose_device(device)
    wanted = choose_dtype(dtype, device, config)
    name = str(wanted).removeprefix("torch.")
    stamp = () if revision else folder_stamp(path)  # a revision of the Hub never changes
    if _kept is not None and (_kept.path, _kept.device, _kept.dtype, _kept.stamp) == (path, device, name, stamp):
        return _kept
    processor = processor_of(path, family)
    check_files(path, model_id)
    quantisation.check_quantisation(config, model_id)
    quantisation.check_packed(path, config, model_id)
    check_size(path, config, model_id)
    free()
    n_bytes = memory_bytes(path, config, wanted)
    try:
        model, report = AutoModelForImageTextToText.from_pretrained(
            path,
            dtype=wanted,
            attn_implementation=ATTENTION,
            device_map=_device_map(device, n_bytes),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            ignore_mismatched_sizes=True,  # they are refused below, by name
            output_loading_info=True,
        )
        quantisation.unpack_first(model)
        quantisation.in_one_dtype(model, wanted)
    except (torch.OutOfMemoryError, MemoryError):
        raise ModelUnavailable(
            f"{model_id} does not fit the memory of {device} in {name} ({n_bytes / 1e9:.1f} GB of weights). "
            "Choose a smaller model, or device cpu."
        ) from None
    except Exception as error:  # noqa: BLE001 - a config of anybody's makes transformers fail in any way
        reason = conversion_error(error) or f"{type(error).__name__}: {_first_line(error)}"
        raise ModelUnavailable(
            f"{shortened(model_id)} cannot be loaded by transformers: {reason.removesuffix('.')}. "
            "Its config.json may not describe these weights."
        ) from None
    check_weights(model_id, path, report)
    check_layers(model_id, report["unexpected_keys"], model)
    _check_modules(model, config, family, path)
    _kept = LoadedModel(
        model_id, revision, path, family, model.eval(), processor, device, name, stamp, tuple(left_out(report))
    )
    return _kept


def _device_map(device: str, n_bytes: int) -> str | dict:
    """Place weights of so many bytes on one device, or over all where no single one holds them and a run beside."""
    if len(devices(device)) == 1 or ROOM * n_bytes < torch.cuda.mem_get_info(device)[0]:
        return {"": device}
    return "auto"


def published_dtype(config) -> torch.dtype:
    """The dtype that a model's files are in."""
    return getattr(config, "dtype", None) or torch.float32


def wrap(model: torch.nn.Module, model_type: str | None = None) -> LoadedModel:
    """A caller's own model (PEFT-wrapped or not), with the processor of the folder or repository it came from."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    name = getattr(base.config, "_name_or_path", "")
    if not name:
        raise UnsupportedModel(
            "This model does not say where it was loaded from, so its processor cannot be found. Load it from a folder."
        )
    from attention import families

    path, revision = locate(name)
    family = families.find(model_type or base.config.model_type)
    quantisation.unpack_first(base)
    return LoadedModel(
        name,
        revision,
        path,
        family,
        base,
        processor_of(path, family),
        str(input_device(base)),
        str(next(each for each in base.parameters() if not quantisation.is_packed(each)).dtype).removeprefix("torch."),
    )


def input_device(model: torch.nn.Module) -> torch.device:
    """Device of a model's inputs: its embeddings'. Of weights kept elsewhere (`meta`) accelerate's hook knows it."""
    embeddings = model.get_input_embeddings()
    hook = getattr(embeddings, "_hf_hook", None)
    for each in getattr(hook, "hooks", (hook,)):
        device = getattr(each, "execution_device", None)
        if device is not None:
            return torch.device(device)
    return embeddings.weight.device


def free() -> None:
    """Let go of the kept model and give its memory back."""
    global _kept  # noqa: PLW0603 - as above
    if _kept is not None:
        _kept = None
        gc.collect()
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            torch.cuda.empty_cache()
