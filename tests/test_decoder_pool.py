"""Processes that decode pictures of strangers: the same pictures and words as in this process, and what ends them."""

import base64
import contextvars
import gc
import os
import signal
import struct
import sys
import threading
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import PIL
import pytest
from hostile_pictures import animation, jpeg_of_scans, noise, png, saved
from PIL import Image

from attention import decoder_pool, stored_pictures
from attention.capture import decoder_process
from attention.capture.images import UNSAFE, open_pictures
from attention.capture.videos import open_video
from attention.errors import Cancelled, InvalidRequest, LimitExceeded
from attention.limits import Limits
from attention.picture_memory import MEMORY
from attention.request import Request

LIMITS = Limits.hosted()
on_unix = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")


@pytest.fixture(scope="module")
def pool():
    found = decoder_pool.Decoders(2)
    yield found
    found.close()


@pytest.fixture
def in_use(pool):
    decoder_pool.use(pool)
    yield pool
    decoder_pool.use(None)


@pytest.fixture
def stopped(in_use):
    """The pool with its next process held still: what it is asked for it does not answer."""
    process = in_use._free[0]._process
    os.kill(process.pid, signal.SIGSTOP)
    return process


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    noise().save(path)
    return path


def opened(*images):
    """Pictures as (size, pixels, notes), or the error's kind and words."""
    try:
        found = open_pictures(Request(images=images, prompt="what?"), LIMITS)
    except InvalidRequest as error:
        return type(error), str(error)
    return [(image.size, image.tobytes(), notes) for image, notes in found]


def asking(check, picture):
    """Open a picture for a visitor, in whose context `check` is called."""

    def ask():
        decoder_pool.ask_for("somebody", check)
        open_pictures(Request(images=(picture,), prompt="what?"), LIMITS)

    contextvars.copy_context().run(ask)


def turned():
    exif = Image.Exif()
    exif[0x112] = 6
    return saved(noise(), "JPEG", exif=exif)


FILES = {
    "turned.jpg": turned(),
    "clear.png": saved(Image.new("RGBA", (30, 20), (9, 99, 200, 40)), "PNG"),
    "deep.png": saved(Image.linear_gradient("L").convert("I;16"), "PNG"),
    "frames.gif": saved(noise(), "GIF", save_all=True, append_images=[noise(), noise()]),
    "scans.jpg": jpeg_of_scans(2000),
    "cut.jpg": saved(noise(), "JPEG")[:900],
    "words.png": b"these are words",
    "empty.png": b"",
    "page.tif": saved(noise(), "TIFF"),
    "runs.bmp": b"BM" + struct.pack("<LHHLLllHHL", 0, 0, 0, 54, 40, 2_000_000, -1, 1, 8, 1) + bytes(20),
    "lossless.webp": saved(noise(), "WEBP", lossless=True),
    "lossy.webp": saved(noise(), "WEBP"),
    "clear.webp": saved(Image.new("RGBA", (30, 20), (9, 99, 200, 40)), "WEBP"),
    "huge.webp": b"RIFF(\0\0\0WEBPVP8X" + struct.pack("<LL", 10, 0) + b"\xfe\x3f\0\xfe\x3f\0" + bytes(9),
}


def test_pictures_and_refusals_are_those_of_this_process(pool, tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    url = f"data:image/png;base64,{base64.b64encode(png()).decode()}"
    asked = [(tmp_path / name,) for name in (*FILES, "nowhere.png")]
    asked += [(str(tmp_path),), (url,), (url, tmp_path / "clear.png"), (tmp_path / "clear.png", 3), ("",)]
    here = [opened(*images) for images in asked]
    decoder_pool.use(pool)
    try:
        assert [opened(*images) for images in asked] == here
    finally:
        decoder_pool.use(None)
    assert {answer[0] for answer in here if isinstance(answer[0], type)} == {InvalidRequest, LimitExceeded}
    refused = {Path(images[0]).name: answer[1] for images, answer in zip(asked, here, strict=True) if len(answer) == 2}
    assert "2000000x1 pixels; the limit is 1 million" in refused["runs.bmp"]
    assert "16383x16383 = 268 million pixels" in refused["huge.webp"]


def test_a_picture_of_a_run_is_decoded_there_too(in_use, tmp_path, picture):
    noise(mode="RGB").save(tmp_path / "preview.jpg")
    assert stored_pictures.look_over(picture, "PNG", (40, 30)) == ((40, 30), "RGB")
    assert stored_pictures.stored(picture, 1200).tobytes() == stored_pictures.stored_here(picture, 1200).tobytes()
    assert stored_pictures.stored(tmp_path / "preview.jpg", 1200, (10, 10)).size == (10, 8)
    with pytest.raises(ValueError, match="more than 9"):
        stored_pictures.stored(picture, 9)
    with pytest.raises(OSError, match="cannot identify"):
        stored_pictures.look_over(picture, "JPEG", (40, 30))


def test_frames_of_a_video_are_decoded_there_too(pool, tmp_path):
    path, limits = tmp_path / "clip.gif", Limits.hosted()
    path.write_bytes(animation("GIF", 6, duration=100))
    (tmp_path / "page.tif").write_bytes(animation("TIFF", 3))

    def found():
        opened = open_video(path, limits)
        read = [(frame.tobytes(), time) for frame, time in opened.read([0, 5, 2])]
        with pytest.raises(InvalidRequest) as refused:
            open_video(tmp_path / "page.tif", limits)
        return opened.name, opened.total, opened.fps, opened.decoder, opened.size, read, str(refused.value)

    here = found()
    decoder_pool.use(pool)
    try:
        assert found() == here and here[4] == (40, 30)
    finally:
        decoder_pool.use(None)


def test_memory_of_a_picture_is_held_as_long_as_it_lives(in_use, picture):
    gc.collect()  # pictures of other tests
    before = MEMORY.held
    found = open_pictures(Request(images=(picture, picture), prompt="what?"), LIMITS)
    assert MEMORY.held == before + 2 * 4 * 40 * 30
    del found
    assert MEMORY.held == before


@on_unix
def test_whoever_stops_ends_the_decoder_and_the_next_one_works(stopped, picture):
    def check():
        if threading.current_thread() is not threading.main_thread():  # while it decodes
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        asking(check, picture)
    assert stopped.returncode == -signal.SIGKILL
    assert opened(picture)[0][0] == (40, 30)


@on_unix
def test_a_decoder_that_takes_too_long_is_ended(stopped, picture, monkeypatch):
    monkeypatch.setattr(decoder_pool, "DECODER_PATIENCE", 0)
    kind, words = opened(picture)
    assert kind is LimitExceeded and "picture.png needs more than 20 seconds to be decoded" in words


@on_unix
@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (signal.SIGSEGV, InvalidRequest, "its decoder failed on it"),
        (getattr(signal, "SIGXCPU", 0), LimitExceeded, "more than 20 seconds to be decoded"),
        (getattr(signal, "SIGKILL", 0), LimitExceeded, "more than 2.1 GB of memory to be decoded"),
    ],
)
def test_a_decoder_that_dies_is_said(stopped, picture, number, kind, words):
    def die():
        if threading.current_thread() is threading.main_thread():
            return  # it has no task yet
        os.kill(stopped.pid, number)
        os.kill(stopped.pid, signal.SIGCONT)

    with pytest.raises(kind, match=words):
        asking(die, picture)


def test_one_that_ended_without_a_task_is_replaced(in_use, picture):
    in_use._free[0]._process.kill()
    in_use._free[0]._process.wait()
    assert opened(picture)[0][0] == (40, 30)


def test_one_that_is_ended_when_its_answer_is_there_gets_no_other_task(in_use, picture):
    is_asked, is_there = threading.Event(), threading.Event()
    process = in_use._free[0]._process

    def check():
        if threading.current_thread() is not threading.main_thread():  # while it decodes
            is_asked.set()
            assert is_there.wait(60)
            raise Cancelled("Stopped.")

    def receive(head, _):
        assert is_asked.wait(60)
        is_there.set()
        return head["size"]

    def ask():
        decoder_pool.ask_for("somebody", check)
        return in_use.run({"work": "stored", "source": str(picture), "most_pixels": 1200}, "it", receive)

    assert contextvars.copy_context().run(ask) == [40, 30]
    assert process not in [free._process for free in in_use._free]


@on_unix
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork beside other threads, as on ZeroGPU
def test_nobody_forks_while_one_is_started(monkeypatch):
    order, is_about, has_forked = [], threading.Event(), threading.Event()

    def fork():
        is_about.set()
        child = os.fork()
        if not child:
            os._exit(0)
        order.append("forked")
        has_forked.set()
        os.waitpid(child, 0)

    def start(*_, **__):
        thread.start()
        assert is_about.wait(60)
        has_forked.wait(0.2)
        order.append("started")

    thread = threading.Thread(target=fork)
    monkeypatch.setattr(decoder_pool.subprocess, "Popen", start)
    decoder_pool._Decoder()
    thread.join(60)
    assert order == ["started", "forked"]


def test_its_path_of_modules_is_that_of_this_process(monkeypatch):
    begun = []
    monkeypatch.setattr(decoder_pool.subprocess, "Popen", lambda *_, env, **__: begun.append(env))
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    decoder_pool._Decoder()
    assert begun[0]["PYTHONPATH"].split(os.pathsep)[1:] == ["elsewhere"]


@on_unix
def test_limits_stay_within_those_of_the_system(monkeypatch):
    import resource

    limited = {}
    monkeypatch.setattr(resource, "getrlimit", lambda what: (7, 7 if what == resource.RLIMIT_CPU else -1))
    monkeypatch.setattr(resource, "setrlimit", lambda what, limits: limited.update({what: limits}))
    monkeypatch.setattr(decoder_process, "memory", lambda: (0, 0))
    own = decoder_process._Own()
    assert limited == {resource.RLIMIT_CORE: (0, 0)}  # nobody knows what memory it has already
    own.begin(1_000_000)
    assert limited[resource.RLIMIT_CPU] == (7, 7)
    monkeypatch.setattr(decoder_process, "memory", lambda: (5, 5))
    decoder_process._Own()
    assert limited[resource.RLIMIT_AS] == (5 + decoder_process.DECODER_BYTES, -1)


@on_unix
def test_a_decoder_knows_no_secrets_and_has_limits(pool, monkeypatch):
    if not Path("/proc").is_dir():
        pytest.skip("no /proc")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with_token = decoder_pool._Decoder()
    try:
        with_token.run({"work": "size", "seconds": 20}, "it", lambda *_: None, lambda: None, "")
    except (RuntimeError, InvalidRequest):
        pass
    found = Path(f"/proc/{with_token._process.pid}")
    assert b"hf_secret" not in (found / "environ").read_bytes()
    limits = {line[:26].strip(): line[26:].split()[0] for line in (found / "limits").read_text().splitlines()}
    assert limits["Max core file size"] == "0"
    assert int(limits["Max cpu time"]) <= 25 and int(limits["Max address space"]) < 4 << 30
    with_token.close()


def test_too_little_memory_is_an_answer(monkeypatch):
    def fill(**_):
        raise MemoryError

    monkeypatch.setitem(decoder_process.WORK, "open", fill)
    assert decoder_process.answer({"work": "open"}) == ({"error": decoder_pool.TOO_MUCH}, [])
    decoder = decoder_pool._Decoder.__new__(decoder_pool._Decoder)
    error = decoder._error({"error": decoder_pool.TOO_MUCH}, [], "a.png", 20, "Wait.")
    assert isinstance(error, LimitExceeded) and "a.png needs more than 2.1 GB of memory" in str(error)


def test_visitors_leave_decoders_to_each_other(monkeypatch):
    monkeypatch.setattr(decoder_pool, "_started", object)
    three = decoder_pool.Decoders(3)

    def may(*kind, busy=()):
        three._busy = Counter(busy)
        return three._may_have_one(*kind)

    assert may("ann", True) and not may("ann", False, busy=[("ann", True)])
    assert may("bob", False, busy=[("ann", True)]) and not may("bob", True, busy=[("ann", True)])
    assert not may("cyd", False, busy=[("ann", True), ("bob", False)])
    assert may(None, True, busy=[("ann", True), ("bob", False)])


def test_who_has_waited_longest_is_next(monkeypatch):
    has_begun, waits, may_end, order = threading.Event(), threading.Event(), threading.Event(), []

    def run(task, *_):
        has_begun.set()
        assert may_end.wait(60)
        order.append(task["name"])

    monkeypatch.setattr(decoder_pool, "_started", lambda: SimpleNamespace(has_ended=False, is_fresh=True, run=run))
    one = decoder_pool.Decoders(1)

    def ask(name, again=0):
        for _ in range(again + 1):
            one.run({"name": name}, name, lambda *_: None)

    def visit():
        decoder_pool.ask_for("ann", waits.set)
        ask("ann")

    threads = [threading.Thread(target=ask, args=("all", 5)), threading.Thread(target=visit)]
    for thread, event in zip(threads, (has_begun, waits), strict=True):
        thread.start()
        assert event.wait(60)
    may_end.set()
    for thread in threads:
        thread.join(60)
    assert order[:2] == ["all", "ann"] and len(order) == 7 and not one._busy


@pytest.mark.skipif(int(PIL.__version__.split(".")[0]) >= 13, reason="its TIFF decoder is mended")
def test_a_server_reads_no_tiff_and_a_person_does(tmp_path):
    (tmp_path / "page.tif").write_bytes(FILES["page.tif"])
    assert UNSAFE == ("TIFF",) and "is a TIFF. This server reads none" in opened(tmp_path / "page.tif")[1]
    assert len(open_pictures(Request(images=(tmp_path / "page.tif",), prompt="what?"), Limits())) == 1


def test_pictures_together_have_a_limit(in_use, picture):
    limits = Limits(pixels_together=2000)
    request = Request(images=(picture, picture), prompt="what?")
    assert len(open_pictures(Request(images=(picture,), prompt="what?"), limits)) == 1
    for _ in range(2):
        with pytest.raises(LimitExceeded, match="The 2 pictures have"):
            open_pictures(request, limits)
        decoder_pool.use(None)  # the same here
