"""A picture's file is counted as Pillow counts it, in few reads; too much is refused before it is decoded."""

import base64
import io
import os
import random
import struct

import pytest
from hostile_pictures import (
    FRAME,
    SIZE,
    animation,
    chunk,
    frames,
    gif_of_frames,
    jpeg_of_scans,
    noise,
    png,
    saved,
    tiff,
    webp_of_frames,
)
from PIL import Image, features

from attention.capture.images import open_image, open_pictures
from attention.errors import InvalidRequest, LimitExceeded
from attention.limits import MAX_CHUNKS, MAX_COMMENT_BLOCKS, MAX_FRAMES, MAX_SCANS, MAX_SINGLE_PARTS, Limits
from attention.picture_bytes import BLOCK, count_frames, webp_size
from attention.request import Request

NAME = "the image"
needs_webp = pytest.mark.skipif(not features.check("webp"), reason="this Pillow has no WebP")


class Counted(io.BytesIO):
    """A file that counts what is read of it."""

    reads = read_bytes = 0

    def read(self, size=-1):
        content = super().read(size)
        self.reads, self.read_bytes = self.reads + 1, self.read_bytes + len(content)
        return content


def by_pillow(content):
    with Image.open(io.BytesIO(content)) as image:
        return image.n_frames


def refused(content, words, kind=LimitExceeded):
    """The file of a picture that is refused, with what was read of it."""
    file = Counted(content)
    with pytest.raises(kind, match=words) as error:
        count_frames(file, NAME)
    assert type(error.value) is kind and len(str(error.value)) < 300
    return file


# Good pictures


@pytest.mark.parametrize("form", ["GIF", "PNG", "TIFF", pytest.param("WEBP", marks=needs_webp)])
@pytest.mark.parametrize("count", [1, 2, 7, 300])
def test_frames_are_counted_as_pillow_counts_them(form, count):
    content = animation(form, count, **({"lossless": True} if form == "WEBP" else {}))
    assert count_frames(content, NAME) == by_pillow(content) == count


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("GIF", {"comment": b"c" * 5000, "interlace": 1, "loop": 0}),
        ("GIF", {"disposal": 2, "duration": 20, "transparency": 0}),
        ("PNG", {"default_image": True}),
        ("PNG", {"disposal": 1, "blend": 1}),
        ("TIFF", {"big_tiff": True}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_frames_of_other_kinds_are_counted_too(form, options):
    content = animation(form, 5, **options)
    assert count_frames(content, NAME) == by_pillow(content)


def test_a_file_a_path_and_bytes_are_one(tmp_path):
    content = animation("GIF", 3)
    (tmp_path / "a.gif").write_bytes(content)
    file = io.BytesIO(content)
    file.seek(99)
    assert count_frames(tmp_path / "a.gif", NAME) == count_frames(file, NAME) == count_frames(content, NAME) == 3
    assert file.tell() == 0, "whoever opens it next begins at its beginning"


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"icc_profile": b"i" * 200_000}]
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_an_ordinary_jpeg_passes(options, mode):
    assert count_frames(saved(noise((300, 200), mode), "JPEG", quality=95, **options), NAME) is None


def test_a_jpeg_of_several_pictures_passes_and_its_index_is_pillows():
    first, *others = frames(3)
    content = saved(first, "MPO", save_all=True, append_images=others)
    assert count_frames(content, NAME) is None
    assert "has 3 frames; the first one is used" in open_image(Image.open(io.BytesIO(content)))[1][0]


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"GIF89a", b"hello", saved(noise(), "BMP"), b"II*\0", b"RIFF....WEBP"]
)
def test_what_is_not_counted_is_left_to_pillow(content):
    assert count_frames(content, NAME) in (None, 1)


def test_a_large_jpeg_is_read_once():
    head = saved(noise(), "JPEG")[:-2]
    data = os.urandom(8_000_000).replace(b"\xff", b"\xff\0")
    for content in (data, b"\xff\0" * 2_000_000, b"\xff" * 4_000_000, b"\xff\xd0" * 2_000_000):
        file = Counted(head + content + b"\xff\xd9")
        count_frames(file, NAME)
        assert file.read_bytes < len(file.getvalue()) + 2 * BLOCK and file.reads < len(file.getvalue()) / BLOCK + 5


@pytest.mark.parametrize("shift", range(-4, 5))
def test_a_scan_across_two_reads_is_one_scan(shift):
    """Every marker of a hundred scans would be missed, or counted twice, where the border falls into it."""
    whole = jpeg_of_scans(MAX_SCANS)
    at = whole.rindex(b"\xff\xda", 0, -14)
    filled = whole[:at] + b"\0" * (BLOCK + 2 - at + shift) + whole[at:]
    assert count_frames(filled, NAME) is None
    scan = whole[whole.rindex(b"\xff\xda") : -2]
    refused(filled[:-2] + scan + filled[-2:], "100 scans")


# Bad ones


def test_a_jpeg_of_too_many_scans_is_refused_in_one_read():
    assert count_frames(jpeg_of_scans(MAX_SCANS), NAME) is None
    refused(jpeg_of_scans(MAX_SCANS + 1), "^the image has more than 100 scans, which is the limit: .* as a PNG.$")
    file = refused(jpeg_of_scans(50_000), "100 scans")
    assert file.read_bytes <= 2 * BLOCK
    stuffed = b"\xff\0\xff\xd3\xff\xff\0" * 5  # data, a restart, and fill bytes are no scans, and hide none
    refused(jpeg_of_scans(MAX_SCANS + 1, stuffed), "100 scans")
    assert count_frames(jpeg_of_scans(MAX_SCANS, stuffed), NAME) is None


def test_a_scan_in_a_segment_is_none():
    whole = saved(noise(), "JPEG", comment=b"\xff\xda\0\2" * 500)
    assert count_frames(whole, NAME) is None


def test_a_jpeg_of_too_many_segments_is_refused():
    whole = saved(noise(), "JPEG")
    for part in (b"\xff\xe0\0\2", b"\xff\xfe\0\2", b"\xff\xd9"):
        file = refused(whole[:2] + part * 100_000 + whole[2:], "more than 2,000 segments")
        assert file.read_bytes <= 2 * BLOCK
    for stray in (bytes(2 * MAX_SINGLE_PARTS), b"\xff" * 2 * MAX_SINGLE_PARTS):
        for rest in (whole[2:], b""):
            file = refused(whole[:20] + stray + rest, "parts that are read one by one")
            assert file.read_bytes <= MAX_SINGLE_PARTS + 2 * BLOCK


def test_a_gif_of_too_many_frames_is_refused():
    assert count_frames(gif_of_frames(MAX_FRAMES), NAME) == MAX_FRAMES
    file = refused(
        gif_of_frames(1_000_000),
        "^the image has more than 10,000 frames, which is the limit.* as a PNG. As a video, cut it.$",
    )
    assert file.read_bytes <= MAX_FRAMES * len(FRAME) + 2 * BLOCK


def test_a_gif_of_too_many_blocks_is_refused():
    empty = gif_of_frames(0)[:-1]
    comment = b"!\xfe" + b"\1c" * MAX_COMMENT_BLOCKS
    assert count_frames(gif_of_frames(1, comment + b"\0"), NAME) == 1
    refused(gif_of_frames(1, comment + b"\1c\0"), "comments in 4,097 blocks")
    refused(gif_of_frames(1, (b"!\xfe\1c\0") * (MAX_COMMENT_BLOCKS + 1)), "comments in 4,097 blocks")
    for part, words in ((b"!\xf9\0", "more than 100,000 extensions"), (b"a", "more than 1,000,000 parts")):
        file = refused(empty + part * 4_000_000, words)
        assert file.read_bytes <= MAX_SINGLE_PARTS + BLOCK
    file = refused(empty + FRAME[:11] + b"\1a" * 8_000_000, "more than 1,000,000 parts")
    assert file.read_bytes <= 2 * MAX_SINGLE_PARTS + 2 * BLOCK


def test_a_png_of_too_many_frames_or_chunks_is_refused():
    said = chunk(b"acTL", struct.pack(">II", MAX_FRAMES + 1, 0))
    refused(png(said), "more than 10,000 frames")
    refused(png(after=[chunk(b"fcTL", bytes(26))] * (MAX_FRAMES + 1)), "more than 10,000 frames")
    assert count_frames(png(chunk(b"IDAT") * 5000), NAME) == 1
    file = refused(png(chunk(b"IDAT") * (2 * MAX_CHUNKS)), "more than 100,000 chunks")
    assert file.reads <= MAX_CHUNKS + 3
    refused(png(chunk(b"iCCP") * 10, after=[chunk(b"iCCP")] * 10), "more than 16 colour profiles")
    assert count_frames(png(chunk(b"acTL", bytes(8))), NAME) == 1, "none are said, which is no animation"


def test_a_webp_of_too_many_frames_or_chunks_is_refused():
    assert count_frames(webp_of_frames(MAX_FRAMES), NAME) == MAX_FRAMES
    file = refused(webp_of_frames(1_000_000), "more than 10,000 frames")
    assert file.reads <= MAX_FRAMES + 5
    refused(webp_of_frames(2 * MAX_CHUNKS).replace(b"ANMF", b"abcd"), "more than 100,000 chunks")


# Where pictures are opened


HOSTILE = {
    "scans.jpg": (jpeg_of_scans(2000), "has more than 100 scans"),
    "film.gif": (gif_of_frames(MAX_FRAMES + 1), "has more than 10,000 frames"),
    "film.png": (png(chunk(b"acTL", struct.pack(">II", 1 << 30, 0))), "has more than 10,000 frames"),
    "film.webp": (webp_of_frames(MAX_FRAMES + 1), "has more than 10,000 frames"),
    "round.tiff": (tiff(links=(2, 3, 1)), "without end"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_is_decoded_before_it_is_counted(tmp_path, monkeypatch, name):
    content, words = HOSTILE[name]
    noise().save(tmp_path / "good.png")
    (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(Image, "open", lambda *args, **options: pytest.fail("it was opened"))
    with pytest.raises(InvalidRequest, match=f"^{name} .*{words}"):
        open_image(tmp_path / name)
    for limits in (Limits.local(), Limits.hosted()):
        with pytest.raises(InvalidRequest, match=f"^{name} .*{words}"):
            open_pictures(Request(prompt="?", images=(tmp_path / "good.png", tmp_path / name)), limits)
    written = f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"
    with pytest.raises(InvalidRequest, match=f"^image 2 .*{words}"):
        open_pictures(Request(prompt="?", images=(tmp_path / "good.png", written)), Limits())


def test_the_size_of_a_webp_is_pillows():
    clear = Image.new("RGBA", (31, 17), (1, 2, 3, 90))
    for content in (
        saved(noise((33, 20)), "WEBP"),
        saved(noise((33, 20)), "WEBP", lossless=True),
        saved(clear, "WEBP"),
    ):
        with Image.open(io.BytesIO(content)) as picture:
            assert webp_size(content[:30]) == picture.size
    assert webp_size(png()) is None


def test_a_picture_that_pillow_has_opened_is_counted_too():
    with Image.open(io.BytesIO(jpeg_of_scans(2000))) as image, pytest.raises(LimitExceeded, match="100 scans"):
        open_image(image)


def test_an_animation_is_read_as_before_without_pillows_walk(tmp_path, monkeypatch):
    (tmp_path / "a.gif").write_bytes(animation("GIF", 200))
    with Image.open(tmp_path / "a.gif") as image:
        monkeypatch.setattr(type(image), "n_frames", property(lambda self: pytest.fail("Pillow walked over it")))
    image, notes = open_image(tmp_path / "a.gif")
    assert image.size == SIZE and notes[0].startswith("a.gif has 200 frames; the first one is used. As a video")


# Anything at all


def whole_pictures():
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a" * 50
    yield saved(noise(), "JPEG", progressive=True, exif=exif)
    yield saved(noise(), "JPEG", restart_marker_rows=1)
    yield animation("GIF", 4, comment=b"c" * 300)
    yield animation("PNG", 4)
    yield animation("TIFF", 4)
    yield animation("TIFF", 3, big_tiff=True)
    if features.check("webp"):
        yield animation("WEBP", 4)
        yield saved(noise(), "WEBP", exif=exif)


@pytest.mark.parametrize("number", range(8 if features.check("webp") else 6))
def test_damage_is_counted_or_refused_in_words(number):
    whole, rng = list(whole_pictures())[number], random.Random(number)
    ends = [*range(min(len(whole), 200)), *(rng.randrange(len(whole)) for _ in range(200))]
    damaged = [whole[:end] for end in ends]
    for _ in range(600):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            content[rng.randrange(min(len(content), rng.choice([30, 300, 3000])))] = rng.choice(
                [0, 255, rng.randrange(256)]
            )
        damaged.append(bytes(content))
    damaged += [whole[: rng.randrange(40)] + rng.randbytes(3000) for _ in range(200)]
    for content in damaged:
        file = Counted(content)
        try:
            assert count_frames(file, NAME) in (None, *range(1, MAX_FRAMES + 2))
        except InvalidRequest as error:
            assert "the image" in str(error) and len(str(error)) < 300
        assert file.reads <= 60 + len(content) / 4
