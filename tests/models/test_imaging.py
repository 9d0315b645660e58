"""Opening and writing pictures: what cameras, scanners and broken downloads leave behind."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rather.core.errors import RowError
from rather.models.imaging import MOST_PIXELS, decoded, encoded


def saved(picture: Image.Image, kind: str = "PNG", **settings: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **settings)
    return out.getvalue()


def gradient(width: int = 64, height: int = 48) -> Image.Image:
    x, y = np.meshgrid(np.arange(width) * 255 // (width - 1), np.arange(height) * 255 // (height - 1))
    return Image.fromarray(np.stack([x, y, (x + y) // 2], -1).astype(np.uint8))


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is and holds nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"\0" * 64))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "WEBP", "JPEG2000"])
def test_lossless_formats_keep_every_pixel(kind: str) -> None:
    settings = {"lossless": True} if kind == "WEBP" else {}
    found = decoded(saved(gradient(), kind, **settings))
    assert found.mode == "RGB" and np.array_equal(found, gradient())


def test_the_camera_was_held_sideways() -> None:
    exif = Image.Exif()
    exif[274] = 6  # turn by 90° clockwise to show
    found = decoded(saved(gradient(), "JPEG", quality=98, exif=exif))
    assert found.size == (48, 64)
    assert np.abs(np.asarray(found, int) - np.rot90(np.asarray(gradient(), int), -1)).mean() < 2


def test_cmyk_and_grey_become_rgb() -> None:
    cmyk = decoded(saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF"))
    assert cmyk.mode == "RGB" and cmyk.getpixel((3, 3)) == (255, 0, 0)
    assert decoded(saved(Image.new("L", (4, 4), 77))).getpixel((0, 0)) == (77, 77, 77)
    assert decoded(saved(Image.new("1", (4, 4), 1))).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bits_keep_their_range() -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    found = np.asarray(decoded(saved(Image.fromarray(ramp))))
    assert np.abs(found[..., 0].reshape(-1).astype(int) - np.arange(256)).max() <= 1
    with pytest.raises(RowError, match="no known range"):
        decoded(saved(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"))


def test_transparency_lies_on_white() -> None:
    layer = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    layer.putpixel((1, 1), (10, 20, 30, 255))
    for picture in (layer, layer.quantize(4)):
        found = decoded(saved(picture))
        assert found.getpixel((0, 0)) == (255, 255, 255) and found.getpixel((1, 1)) == (10, 20, 30)


def test_the_first_of_moving_pictures() -> None:
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue", "lime")]
    moving = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decoded(moving).getpixel((4, 4)) == (255, 0, 0)


@pytest.mark.parametrize("size", [(1, 1), (30_000, 20)])
def test_the_smallest_and_the_widest(size: tuple[int, int]) -> None:
    assert decoded(saved(Image.new("RGB", size, "navy"))).size == size


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (b"", "no bytes"),
        (b"hello, I am a text file", "of no known format"),
        (saved(gradient(), "JPEG")[:400], "not a picture"),
        (saved(gradient())[:120], "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "of no known format"),
        (png_header(9_000, 9_000), "9000 × 9000 pixels"),
        (png_header(60_000, 60_000), f"far more than {MOST_PIXELS:,} pixels"),
    ],
)
def test_what_is_no_picture_is_a_failed_row(image: bytes, words: str) -> None:
    with pytest.raises(RowError, match=words) as caught:
        decoded(image, 7)
    assert "input 7" in str(caught.value)


def test_jpeg_is_written_with_the_originals_tables() -> None:
    for options in ({"quality": 40, "subsampling": 2}, {"quality": 92, "subsampling": 0}):
        like = saved(gradient(), "JPEG", **options)
        again = encoded(gradient(), like)
        with Image.open(io.BytesIO(like)) as a, Image.open(io.BytesIO(again)) as b:
            assert (b.format, b.quantization, b.layer) == ("JPEG", a.quantization, a.layer)
        assert again == encoded(gradient(), like)


def test_other_formats_are_written_alike() -> None:
    assert np.array_equal(decoded(encoded(gradient(), saved(gradient(), "BMP"))), gradient())
    lossless = encoded(gradient(), saved(gradient(), "WEBP", lossless=True))
    assert lossless[8:12] == b"WEBP" and np.array_equal(decoded(lossless), gradient())
    lossy = encoded(gradient(), saved(gradient(), "WEBP", quality=80))
    assert lossy[8:12] == b"WEBP" and not np.array_equal(decoded(lossy), gradient())
    grey = encoded(gradient(), saved(gradient().convert("L"), "JPEG"))
    assert decoded(grey).size == (64, 48) and grey[:3] == b"\xff\xd8\xff"


def test_real_photos_open_upright(data: Path) -> None:
    photos = sorted((data / "images/dreambooth_subset").glob("*/*.jpg"))
    assert len(photos) == 60
    sizes = {decoded(photo.read_bytes(), k).size for k, photo in enumerate(photos[:8])}
    assert all(min(size) >= 128 for size in sizes)


WHOLE = [saved(gradient(24, 18), kind) for kind in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "JPEG2000")]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(WHOLE), st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=6), st.data())
def test_damaged_bytes_are_a_picture_or_a_failed_row(
    image: bytes, flips: list[tuple[int, int]], data: st.DataObject
) -> None:
    damaged = bytearray(image[: data.draw(st.integers(0, len(image)))])
    for place, value in flips:
        if damaged:
            damaged[place % len(damaged)] = value
    try:
        found = decoded(bytes(damaged))
    except RowError as error:
        assert "input 0" in str(error)
    else:
        assert found.mode == "RGB" and found.width * found.height <= MOST_PIXELS
