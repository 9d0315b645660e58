"""Images of every kind that turns up, and real photos, under the scores of the base install."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rather.filters.score_clip import Dino
from rather.models.encoders_image import EfficientNetLite0

from ..image_rows import SEE, scored, table
from ..photos import photo


def odd_images() -> dict[str, tuple[bytes, str]]:
    """Images of every kind that turns up, and what becomes of them."""
    picture = Image.open(io.BytesIO(photo(3, "PNG")))
    turned, tag = picture.transpose(Image.Transpose.ROTATE_90), Image.Exif()
    tag[0x0112] = 6
    saved: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "plain": (picture, "PNG", {}),
        "turned": (turned, "PNG", {"exif": tag}),
        "cmyk": (picture.convert("CMYK"), "JPEG", {}),
        "grey16": (Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257), "PNG", {}),
        "animated": (picture, "GIF", {"save_all": True, "append_images": [turned]}),
        "pixel": (Image.new("RGB", (1, 1), "red"), "PNG", {}),
        "wide": (Image.new("RGB", (30_000, 2), "red"), "PNG", {}),
        "palette": (picture.convert("RGBA").quantize(8), "PNG", {}),
    }
    found = {}
    for name, (made, kind, options) in saved.items():
        out = io.BytesIO()
        made.save(out, kind, **options)
        found[name] = (out.getvalue(), "ok")
    bomb = found["pixel"][0]
    header = bomb[:16] + struct.pack(">II", 60_000, 60_000) + bomb[24:29]
    check = struct.pack(">I", zlib.crc32(header[12:29]))
    broken = {"bomb": header + check + bomb[33:], "empty": b"", "cut": photo(3)[:900], "text": b"no image at all"}
    return found | {name: (data, "unreadable") for name, data in broken.items()}


@pytest.mark.parametrize("encoder", [EfficientNetLite0(), SEE], ids=["efficientnet", "fake"])
def test_odd_images_have_a_score_or_a_reason(encoder: Any) -> None:
    odd = odd_images()
    plain = odd["plain"][0]
    batch = table(*(("a red hat", data, plain, [plain]) for data, _ in odd.values()))
    found = scored(Dino(), batch, {"efficientnet": encoder})
    assert dict(zip(odd, found["chosen_dino_outcome"], strict=True)) == {name: told for name, (_, told) in odd.items()}
    assert found["rejected_dino"] == pytest.approx([1.0] * len(odd), abs=1e-5)
    likes = dict(zip(odd, found["chosen_dino"], strict=True))
    assert likes["turned"] == pytest.approx(1, abs=1e-5) and likes["cmyk"] > 0.85 and likes["animated"] > 0.8
    assert all((likes[name] is None) == (told == "unreadable") for name, (_, told) in odd.items())


@pytest.mark.data
def test_the_embedded_encoder_prefers_the_same_subject(data: Path) -> None:
    """A photo of the subject against one of another, beside a reference photo of the subject."""
    folders = sorted(path for path in (data / "images/dreambooth_subset").iterdir() if path.is_dir())
    photos = [[file.read_bytes() for file in sorted(folder.glob("*.jpg"))] for folder in folders]
    rows = [("x", own[1], photos[k - 1][0], [own[0]]) for k, own in enumerate(photos)]
    found = scored(Dino(), table(*rows), {"efficientnet": EfficientNetLite0()})
    gaps = np.array(found["chosen_dino"]) - np.array(found["rejected_dino"])
    assert (gaps > 0).mean() > 0.9 and gaps.mean() > 0.15
