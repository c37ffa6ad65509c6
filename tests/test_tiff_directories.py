"""A TIFF's pictures are counted by its directories, in a chain that ends; tags that ask for any memory are refused."""

import io
import struct

import pytest
from hostile_pictures import chunk, noise, png, saved, tiff
from PIL import Image

from attention.capture.images import open_image
from attention.errors import InvalidRequest, LimitExceeded
from attention.limits import MAX_EXIF_MARKS, MAX_FRAMES, MAX_STRIPS, MAX_TAGS
from attention.tiff_directories import EXIF_MARK, check_exif, count_directories

FORMS = [("<", False), (">", False), ("<", True)]  # Pillow reads no BigTIFF of the other order
BYTE, LONG, LONG8 = 1, 4, 16


def count(content):
    return count_directories(io.BytesIO(content), "a.tiff")


@pytest.mark.parametrize("form", FORMS)
def test_a_chain_is_followed_to_its_end(form):
    assert count(tiff(*form)) == 1
    assert count(tiff(*form, links=(2, 3, 4, 0))) == 4
    assert count(tiff(*form, links=(3, 0, 2))) == 3, "in any order"
    assert count(tiff(*form, links=(0, 0, 0))) == 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("links", [(1,), (2, 1), (2, 3, 2)])
def test_a_chain_without_end_is_refused(form, links):
    with pytest.raises(
        InvalidRequest, match=rf"^a\.tiff cannot be read: after its picture {len(links)} .* without end"
    ):
        count(tiff(*form, links=links))


@pytest.mark.parametrize("form", FORMS)
def test_a_chain_that_leads_out_of_the_file_is_refused(form):
    with pytest.raises(InvalidRequest, match=r"its picture 3 lies outside the file"):
        count(tiff(*form, links=(2, -1)))
    assert count(tiff(*form)[:-1]) is None, "of the first one Pillow says what it is"


@pytest.mark.parametrize("form", FORMS)
def test_a_chain_that_is_too_long_is_refused(form):
    links = [*range(2, MAX_FRAMES + 1), 0]
    assert count(tiff(*form, links=links)) == MAX_FRAMES
    with pytest.raises(LimitExceeded, match=r"more than 10,000 pictures, which is the limit"):
        count(tiff(*form, links=[*range(2, 20_001), 0]))


@pytest.mark.parametrize("form", FORMS)
def test_tags_that_name_the_same_bytes_again_and_again_are_refused(form):
    tags = [(1000 + number, BYTE, 100_000, 0) for number in range(1, 50)]
    content = tiff(*form, tags=tags) + bytes(100_000)
    with pytest.raises(LimitExceeded, match=r"tags that name 4,900,000 bytes, more than the 1\d\d,\d{3} that they lie"):
        count(content)
    assert count(tiff(*form, tags=tags[:1]) + bytes(100_000)) == 1
    assert count(tiff(*form, tags=[(1000, BYTE, 1 << 31, 8)] * 2)) == 1, "cut off, they are not kept"


@pytest.mark.parametrize("form", FORMS)
def test_too_many_tags_or_strips_are_refused(form):
    with pytest.raises(LimitExceeded, match=r"has 5,000 tags; the limit is 4,096"):
        count(tiff(*form, tags=[(1, BYTE, 1, 0)] * 5000))
    assert count(tiff(*form, tags=[(1, BYTE, 1, 0)] * MAX_TAGS)) == 1
    with pytest.raises(LimitExceeded, match=r"is cut into 250,001 strips; the limit is 250,000"):
        count(tiff(*form, tags=[(273, LONG, MAX_STRIPS + 1, 0)]))


@pytest.mark.parametrize("tag", [34665, 34853])
def test_directories_within_are_looked_at_too(tag):
    inner = struct.pack("<H", 60) + b"".join(struct.pack("<HHLL", 1000 + n, BYTE, 50_000, 0) for n in range(60))
    outer = tiff(tags=[(tag, LONG, 1, 8 + 2 + 12 + 4)])
    with pytest.raises(LimitExceeded, match="tags that name"):
        count(outer + inner + bytes(60_000))
    with pytest.raises(LimitExceeded, match="tags that name"):  # named by a number that lies elsewhere
        count(tiff(tags=[(tag, LONG8, 1, 26)]) + struct.pack("<Q", 34) + inner + bytes(60_000))
    assert count(tiff(tags=[(tag, LONG, 1, 8)])) == 1, "and one that names itself ends"


def exif_bomb(size=300_000):
    tags = [(1000 + number, BYTE, size, 0) for number in range(3000)]
    return tiff(tags=tags) + bytes(size)


def test_exif_data_that_ask_for_any_memory_are_refused_in_every_kind_of_picture(tmp_path):
    bomb = exif_bomb(20_000)
    with pytest.raises(LimitExceeded, match="the image has tags that name"):
        check_exif(EXIF_MARK + bomb, "the image")
    whole = saved(noise(), "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", 2 + 6 + len(bomb)) + EXIF_MARK + bomb
    written = "\nexif\n" + f"{len(bomb):8}\n" + bomb.hex()
    pictures = {
        "a.jpg": whole[:2] + segment + whole[2:],
        "a.png": png(chunk(b"eXIf", exif_bomb())),
        "behind.png": png(after=[chunk(b"eXIf", exif_bomb())]),
        "written.png": png(chunk(b"tEXt", b"Raw profile type exif\0" + written.encode())),
    }
    for name, content in pictures.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(LimitExceeded, match=rf"^{name} has tags that name"):
            open_image(tmp_path / name)


def test_exif_data_in_many_segments_are_judged_as_pillow_joins_them(tmp_path):
    whole, bomb = saved(noise(), "JPEG"), exif_bomb()
    parts = [bomb[start : start + 60_000] for start in range(0, len(bomb), 60_000)]
    segments = b"".join(b"\xff\xe1" + struct.pack(">H", 8 + len(part)) + EXIF_MARK + part for part in parts)
    (tmp_path / "a.jpg").write_bytes(whole[:2] + segments + whole[2:])
    with pytest.raises(LimitExceeded, match="tags that name"):
        open_image(tmp_path / "a.jpg")
    large = (b"\xff\xe1" + struct.pack(">H", 8 + 60_000) + EXIF_MARK + bytes(60_000)) * 20
    (tmp_path / "a.jpg").write_bytes(whole[:2] + large + whole[2:])
    with pytest.raises(LimitExceeded, match="more than 1,048,576 bytes of Exif data"):
        open_image(tmp_path / "a.jpg")


def test_exif_data_that_begin_again_and_again_are_refused():
    exif = Image.Exif()
    exif[0x0112] = 6
    check_exif(EXIF_MARK * MAX_EXIF_MARKS + exif.tobytes()[6:], "the image")
    with pytest.raises(InvalidRequest, match="The Exif data of the image begin more than 16 times"):
        check_exif(EXIF_MARK * 200_000, "the image")


@pytest.mark.parametrize("data", [b"", b"Exif", b"II*\0", b"hello", EXIF_MARK, EXIF_MARK + b"MM\0*\0\0"])
def test_what_is_no_exif_is_nobodys_business(data):
    check_exif(data, "the image")
