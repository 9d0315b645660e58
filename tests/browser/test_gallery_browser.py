"""The gallery in a real browser: pictures load from the page itself, and nothing is wider than a phone."""

from __future__ import annotations

from pathlib import Path

import pytest
from rather.formats.report import build_report

from ..formats.test_report_gallery import image_run
from .test_report_browser import CHROMIUM, opened

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"),
]
LOOK = """
const shown = [...doc.querySelectorAll("#gallery img")];
shown.forEach((image) => { image.loading = "eager"; });
const strips = [...doc.querySelectorAll(".strip")];
seen.wide = doc.documentElement.scrollWidth;
seen.pictures = shown.length;
const top = (part) => Math.round(part.getBoundingClientRect().top);
seen.in_a_row = strips.every((strip) => new Set([...strip.children].map(top)).size === 1);
seen.narrowest = Math.min(...shown.map((image) => image.getBoundingClientRect().width));
seen.loaded = shown.filter((image) => image.complete && image.naturalWidth > 0).length;
seen.window = doc.querySelectorAll("#gallery .window").length;
const words = [...doc.querySelectorAll("#gallery .plane text")];
seen.smallest = Math.min(...words.map((word) => word.getBoundingClientRect().height));
seen.link = [...doc.querySelectorAll("nav a")].some((link) => link.hash === "#gallery");
"""


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_pictures_stand_side_by_side_on_every_screen(tmp_path: Path, width: int) -> None:
    seen = opened(build_report(image_run()), tmp_path, width, LOOK)
    assert seen["wide"] <= width
    assert seen["pictures"] == 36 and seen["loaded"] > 0
    assert seen["in_a_row"] and seen["narrowest"] > 60
    assert seen["window"] == 5 and seen["link"]
    assert seen["smallest"] > 9, "the numbers beside the scatter can be read"
