"""Programs outside Python that some tests need. Where one is missing its tests are skipped; with CI=true they fail."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

# the mark of the tests that need it: what it may be called, and the variable that says where it is
PROGRAMS = {
    # the shell is Chromium without windows: the same pages for a third less of work
    "browser": (("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome"), "CHROMIUM"),
    "node": (("node",), "NODE"),
    "nginx": (("nginx",), "NGINX"),
}
MORE_PLACES = ("/usr/sbin",)  # servers lie there, where only an administrator's shell looks


def path_of(mark: str) -> str | None:
    names, variable = PROGRAMS[mark]
    places = os.pathsep.join([os.environ.get("PATH", ""), *MORE_PLACES])
    found = (shutil.which(name, path=places) for name in names)
    return os.environ.get(variable) or next(filter(None, found), None)


def require(mark: str) -> str:
    """The program's path; without it the test that asks ends here."""
    path = path_of(mark)
    if path is None:
        names, variable = PROGRAMS[mark]
        end = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        end(f"{' or '.join(names[:2])} is not installed; {variable} may say where it is.")
    return path


def run_in_node(script: str, *arguments: str) -> str:
    """Output of a module that imports the viewer's."""
    command = [require("node"), "--input-type=module", "-e", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout
