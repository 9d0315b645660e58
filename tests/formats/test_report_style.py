"""Colours of the stylesheet meet WCAG AA in light and dark."""

from __future__ import annotations

import re
from importlib import resources

import pytest

CSS = resources.files("rather.formats").joinpath("templates", "report.css").read_text(encoding="utf-8")
COLOURS = {
    name: (light, dark) for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", CSS)
}
TEXT = [
    (ink, ground)
    for ink, grounds in {
        "ink": ("paper", "card", "sunk", "kept-soft", "loss-soft"),
        "muted": ("paper", "card"),
        "kept": ("paper", "card"),
        "loss": ("paper", "card"),
    }.items()
    for ground in grounds
] + [("card", f"t{k}") for k in range(1, 9)]
SHAPES = [("before-edge", "card"), ("kept", "card"), ("loss", "paper")] + [(f"t{k}", "card") for k in range(1, 9)]


def luminance(colour: str) -> float:
    """Relative luminance of sRGB, WCAG 2.2."""
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_by_hand():
    """Black on white is 21, and #767676 is the lightest grey that reads on white (4.54)."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT)
def test_text_can_be_read(ink: str, ground: str, theme: int):
    assert contrast(COLOURS[ink][theme], COLOURS[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("shape", "ground"), SHAPES)
def test_shapes_can_be_told_apart(shape: str, ground: str, theme: int):
    assert contrast(COLOURS[shape][theme], COLOURS[ground][theme]) >= 3


def test_every_colour_used_is_defined():
    assert set(re.findall(r"var\(--([\w-]+)", CSS)) <= set(re.findall(r"--([\w-]+):", CSS)) | {"across"}
