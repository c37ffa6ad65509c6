"""Pictures that ask a decoder for far more than their size: made by hand, part by part."""

import io
import struct
import zlib

from PIL import Image

SIZE = (40, 30)
FRAME = b",\0\0\0\0\1\0\1\0\0\2\2D\1\0"  # of a GIF: one pixel
PNG_SIGN = b"\x89PNG\r\n\x1a\n"


def noise(size=SIZE, mode="RGB"):
    return Image.effect_noise(size, 90).convert(mode)


def saved(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def frames(count, mode="RGB"):
    """Pictures of which no two are alike: an encoder would join them."""
    return [
        Image.new("RGB", SIZE, (index % 256, 7 * index % 256, index // 256)).convert(mode) for index in range(count)
    ]


def animation(form, count, **options):
    first, *others = frames(count)
    return saved(first, form, save_all=True, append_images=others, **options)


def jpeg_of_scans(count, between=b"", size=SIZE):
    """A progressive JPEG whose last scan is repeated without data, until there are so many of them."""
    whole = saved(noise(size), "JPEG", progressive=True)
    at = whole.rindex(b"\xff\xda")
    length = struct.unpack_from(">H", whole, at + 2)[0]
    scan = whole[at : at + 2 + length] + between
    return whole[:-2] + scan * (count - 10) + b"\xff\xd9"


def gif_of_frames(count, before=b""):
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0) + before + FRAME * count + b";"


def chunk(kind, data=b""):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*before, after=()):
    header = struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(4 * 5)))
    return PNG_SIGN + chunk(b"IHDR", header) + b"".join(before) + pixels + b"".join(after) + chunk(b"IEND")


def webp_of_frames(count):
    """A WebP whose frames have no pixels."""
    body = b"WEBPVP8X" + struct.pack("<II", 10, 2) + bytes(6) + b"ANMF\0\0\0\0" * count
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff(order="<", is_big=False, links=(0,), tags=()):
    """A TIFF of directories alone: after each, the number of the one that it names next, or no place at all (-1)."""
    number, entry, place = ("Q", "HHQQ", "Q") if is_big else ("H", "HHLL", "L")
    sign = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}H", 43 if is_big else 42)
    head = sign + (struct.pack(f"{order}HHQ", 8, 0, 16) if is_big else struct.pack(f"{order}L", 8))
    size = struct.calcsize(f"{order}{number}{place}") + len(tags) * struct.calcsize(f"{order}{entry}")
    whole = head
    for link in links:
        whole += struct.pack(f"{order}{number}", len(tags))
        whole += b"".join(struct.pack(f"{order}{entry}", *tag) for tag in tags)
        following = 0 if link == 0 else 1 << 31 if link < 0 else len(head) + (link - 1) * size
        whole += struct.pack(f"{order}{place}", following)
    return whole
