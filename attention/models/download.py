"""A model's folder: a path, or an id of the Hub, whose files are fetched so that somebody can watch and stop it.

Knows no config and no weight.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path

from attention.environment import POCKET, POCKET_ID
from attention.errors import AttentionError, IsAdapter, ModelUnavailable, quoted, shortened

from .kept import in_memory
from .loading_report import ADAPTER_CONFIG, check_is_no_adapter
from .offered import HUB_MODELS

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
PROCESSOR_FILES = ("*.json", "*.jinja", "merges.txt")
WEIGHTS = "*.safetensors"
HUB_TIMEOUT_S = 10
CHUNK_BYTES = 1 << 20  # of a download: it counts, and may be stopped, once for each
WATCH_SECONDS = 0.25
STOP_SECONDS = 0.5  # a download that was stopped is waited for no longer than that
Watch = Callable[[int, int], None]  # told of a download's bytes, done and in all (0: not known); may raise, to stop it


def locate(
    model_id: str, config_only: bool = False, watch: Watch | None = None, *, without_weights: bool = False
) -> tuple[str, str | None]:
    """The local folder of a model and its revision (a commit of the Hub, or None), downloading what is missing.

    Of all that a run needs, without weights of what its processor does, or of its config alone.
    `watch` is told of a download's bytes several times a second. Raises what it raises, and ModelUnavailable when
    there is no such folder or repository, or the Hub cannot be reached.
    """
    if model_id == POCKET_ID:
        return str(POCKET), None
    for model in in_memory():
        if model.id == model_id and model.revision is not None:
            # Asked of the Hub once; and on ZeroGPU the weights' files are gone as soon as they are in memory.
            return model.path, model.revision
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
    patterns = ["config.json", ADAPTER_CONFIG] if config_only else list(PROCESSOR_FILES)
    return _download(model_id, patterns if config_only or without_weights else [*patterns, WEIGHTS], watch)


def base_of_adapter(model_id: str, watch: Watch | None = None) -> str | None:
    """The base of an adapter that was named where a model is due; None for a model.

    Raises IsAdapter for one that names no base, and what `locate` raises.
    """
    try:
        locate(model_id, config_only=True, watch=watch)
    except IsAdapter as error:
        if error.base is None:
            raise
        return error.base
    return None


def _is_there(asked: Callable[[], bool]) -> bool:
    """Ask something of a path, made of a text that need not be one."""
    try:
        return asked()
    except (OSError, ValueError):  # too long a name, or one that no file can have
        return False


def _download(model_id: str, patterns: list[str], watch: Watch | None = None) -> tuple[str, str]:
    os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", str(HUB_TIMEOUT_S))
    from huggingface_hub import errors as hub_errors

    try:
        folder = Download(model_id, patterns, watch).folder()
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
        check_is_no_adapter(path, model_id)
        raise ModelUnavailable(f"{model_id} has no config.json, so it is not a model of the transformers library.")
    if WEIGHTS in patterns and not any(path.glob(WEIGHTS)):
        raise ModelUnavailable(
            f"No safetensors weights of {model_id} are on this machine. The download may have been interrupted: "
            "try again online."
        )
    return folder, path.name


class Download:
    """Fetches what is missing of a Hub repository in threads of their own, so that it can be stopped at any moment.

    Of the files that fit `patterns`, at `revision` (None: the default branch), with this machine's login, or with none
    where `token` is False. Counts the bytes of the Hub's own progress bars.
    """

    def __init__(
        self,
        repo_id: str,
        patterns: list[str],
        watch: Watch | None,
        revision: str | None = None,
        token: bool | None = None,
    ):
        self._repo_id, self._patterns, self._watch = repo_id, patterns, watch or (lambda *_: None)
        self._revision, self._token = revision, token
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
                    token=self._token,
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


def folder_stamp(path: str, pattern: str = "*") -> tuple:
    """Stamp that changes when a folder's files do: somebody who trains writes new weights to the same place."""
    files = sorted(file for file in Path(path).glob(pattern) if file.is_file())
    return tuple((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)
