"""Places of this checkout's own files and of a person's runs, and the kind of machine that the app runs on."""

from __future__ import annotations

import os
import secrets
import sys
from datetime import datetime
from pathlib import Path

ASSETS = Path(__file__).resolve().parents[1] / "assets"
EXAMPLES, POCKET, VIEWER = ASSETS / "examples", ASSETS / "pocket", ASSETS / "viewer"
POCKET_ID = "pocket"  # by which the bundled model is asked for


def is_hosted() -> bool:
    """True if strangers come here: on a Space of the Hub."""
    return bool(os.environ.get("SPACE_ID")) or os.environ.get("SYSTEM") == "spaces"


def offers_login() -> bool:
    """True if people can log in to the Hub here with their own accounts: on a Space whose card says so."""
    names = ("SPACE_ID", "OAUTH_CLIENT_ID")
    return os.environ.get("SYSTEM") == "spaces" and all(os.environ.get(name) for name in names)


def is_zero_gpu() -> bool:
    """True if a GPU is there only inside a job, as on ZeroGPU."""
    return bool(os.environ.get("SPACES_ZERO_GPU"))


def is_debugging() -> bool:
    """True if errors of the program keep their stack trace (ATTENTION_DEBUG=1)."""
    return os.environ.get("ATTENTION_DEBUG") == "1"


def new_run_folder() -> Path:
    """A place of its own for a run, in the library that `python app.py` opens; not made yet."""
    return user_cache_folder() / "runs" / f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def user_cache_folder() -> Path:
    """This project's folder among the user's caches, where the system keeps them."""
    home = Path.home()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or home / ".cache"
    return Path(base) / "vlm-attention-viz"
