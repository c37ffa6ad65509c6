"""Rules of every test: no network, no analytics, and Gradio's files in a folder of their own."""

import atexit
import gc
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
from collections import defaultdict
from pathlib import Path

import certifi
import httpx
import programs
import pytest
from shared import once

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_HEARTBEAT_INTERVAL"] = "0.2"  # who has left is noticed after 15 seconds otherwise
os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="gradio-test-")  # each process its own: what is left is counted
if "ATTENTION_TEST_SESSION" not in os.environ:  # its workers share the folder of the first process
    os.environ["ATTENTION_TEST_SESSION"] = session = tempfile.mkdtemp(prefix="attention-test-")
    atexit.register(shutil.rmtree, session, ignore_errors=True)
    # nobody is called by TLS: one certificate does, where clients would read hundreds for each call
    certificate, end, _ = Path(certifi.where()).read_text(encoding="utf-8").partition("-----END CERTIFICATE-----")
    certificates = Path(session, "certificate.pem")
    certificates.write_text(f"{certificate}{end}\n", encoding="utf-8")
    os.environ["SSL_CERT_FILE"] = str(certificates)
worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
    # torch takes every core in each process: then all wait for each other, ten times as long where there are two
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))
os.environ["GRADIO_SERVER_PORT"] = str(7860 + 100 * worker)  # two that look for a free port at once find the same
for part in ("connect", "read", "write", "pool"):  # 5 seconds each otherwise: too few where a machine has much to do
    setattr(httpx._config.DEFAULT_TIMEOUT_CONFIG, part, 60.0)
# a test run in the background is told to ignore Ctrl-C; some tests send it
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before marks are chosen from
def pytest_collection_modifyitems(items):
    """Leave to the long proofs what no sample takes. What needs a browser or is a part of them is slow."""
    sampled = defaultdict(list)
    for item in items:
        if (mark := item.get_closest_marker("sample")) and not item.get_closest_marker("full"):
            sampled[item.nodeid.partition("[")[0], mark.args[0]].append(item)
    for (name, count), alike in sampled.items():
        chosen = set(random.Random(name).sample(alike, min(count, len(alike))))  # the same ones each time
        for item in alike:
            if item not in chosen:
                item.add_marker(pytest.mark.full)
    for item in items:
        if item.get_closest_marker("browser") or item.get_closest_marker("full"):
            item.add_marker(pytest.mark.slow)


gc.disable()  # while everything is imported, of which nothing is let go


def pytest_collection_finish():
    gc.enable()
    if configuration := sys.modules.get("transformers.configuration_utils"):
        # all of it as JSON, in a log line of each model and for each type that it is not: nobody reads these
        configuration.PreTrainedConfig.__repr__ = object.__repr__
    freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    """Freeze what the tests of a file have imported, once they are done."""
    result = yield
    if nextitem is not None and nextitem.path != item.path:
        freeze()
    return result


def freeze():
    """Freeze all that was imported: a model that is freed makes Python look through everything that is not frozen.

    What a file has stopped or started, and not waited for, comes to its end first: other tests count threads and locks.
    """
    for thread in threading.enumerate():
        if thread.name.startswith("job ") or thread.name == "start":
            thread.join(60)
    if kept := sys.modules.get("attention.models.kept"):
        kept.free()  # what is frozen is let go by its count alone
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item):
    """Require the programs that a test's marks name."""
    for mark in programs.PROGRAMS:
        if item.get_closest_marker(mark):
            programs.require(mark)


@pytest.fixture(scope="session")
def tiny_folder():
    """A tiny random model as a folder, loaded by its path. Not to be changed."""
    from tiny import qwen3_vl_folder

    return str(once("tiny", lambda folder: qwen3_vl_folder(folder / "model")) / "model")


@pytest.fixture(scope="session")
def tiny_run(tiny_folder):
    """The folder of a finished run of that model: one picture, a forced answer, both towers. Not to be changed."""
    from pictures import noise

    from attention import Request, extract

    picture = noise((300, 200))
    request = Request(picture, "what color is the star?", tiny_folder, answer="red", device="cpu")
    return once("tiny runs", lambda folder: extract(request, folder / "run").close()) / "run"
