"""Degraded pixels: exact in (picture, strength, seed), alike at every size, worse as strength grows."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from rather.synth.pixel_ops import OPS, REFERENCE, blurred, noised, occluded, patch_shuffled, recompressed


def texture(width: int, height: int) -> Image.Image:
    """Smooth colours with fine stripes and a few hard-edged boxes, the same picture at every size."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    red, green = 255 * x, 127 + 127 * np.sin(60 * x + 17 * y)
    blue = 255.0 * (((8 * x).astype(int) + (6 * y).astype(int)) % 2)
    return Image.fromarray(np.stack([red, green, blue], -1).astype(np.uint8))


def apart(a: Image.Image, b: Image.Image) -> float:
    """Root mean square difference of two pictures, in grey levels."""
    return float(np.sqrt(np.mean((np.asarray(a, np.float64) - np.asarray(b, np.float64)) ** 2)))


@pytest.mark.parametrize("kind", OPS)
@pytest.mark.parametrize("size", [(96, 64), (40, 200), (5, 3)])
def test_every_kind_keeps_the_size_and_repeats_itself(kind: str, size: tuple[int, int]) -> None:
    picture = texture(*size)
    kept = np.array(picture)
    for strength in OPS[kind].ladder:
        found = OPS[kind].apply(picture, strength, 11)
        assert found.size == size and found.mode == "RGB"
        assert np.array_equal(found, OPS[kind].apply(picture, strength, 11))
    assert np.array_equal(picture, kept)


@pytest.mark.parametrize("kind", ["blur", "noise", "jpeg", "downsample", "occlude"])
def test_a_higher_strength_is_a_larger_change(kind: str) -> None:
    picture = texture(300, 240)
    changes = [apart(OPS[kind].apply(picture, strength, 5), picture) for strength in OPS[kind].ladder]
    assert changes == sorted(changes) and changes[-1] > changes[0] > 0


@pytest.mark.parametrize("kind", ["noise", "occlude", "crop", "patch_shuffle", "color"])
def test_chance_is_the_seed_alone(kind: str) -> None:
    op, picture = OPS[kind], texture(200, 160)
    assert not np.array_equal(op.apply(picture, op.ladder[1], 1), op.apply(picture, op.ladder[1], 2))


@pytest.mark.parametrize("kind", ["blur", "noise", "jpeg", "downsample", "occlude"])
def test_a_strength_looks_the_same_at_every_size(kind: str) -> None:
    """Degrade then shrink, or shrink then degrade: the change is of one size, within a third."""
    op, large = OPS[kind], texture(1536, 1024)
    small = large.resize((768, 512), Image.Resampling.BOX)
    shrunk = op.apply(large, op.ladder[2], 3).resize(small.size, Image.Resampling.BOX)
    first, then = apart(shrunk, small), apart(op.apply(small, op.ladder[2], 3), small)
    assert first == pytest.approx(then, rel=0.35)


def test_the_papers_radius_at_the_papers_side() -> None:
    """Radius 5 at 512²: an edge's 16 % to 84 % width is two deviations, 10 pixels."""
    edge = Image.new("RGB", (REFERENCE, REFERENCE))
    edge.paste((255, 255, 255), (256, 0, 512, 512))
    line = np.asarray(blurred(edge, 5))[256, :, 0] / 255
    width = np.searchsorted(line, 0.8413) - np.searchsorted(line, 0.1587)
    assert 9 <= width <= 11


def test_noise_has_the_deviation_asked_for() -> None:
    grey = Image.new("RGB", (256, 256), (128, 128, 128))
    found = np.asarray(noised(grey, 0.1, 0), np.float64)
    assert found.std() == pytest.approx(25.5, rel=0.02) and found.mean() == pytest.approx(128, abs=0.3)


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_occlusion_covers_its_share(share: float) -> None:
    found = np.asarray(occluded(Image.new("RGB", (200, 100), "red"), share, 4))
    assert (found[..., 1] == 127).mean() == pytest.approx(share, abs=0.01)


def test_shuffled_patches_are_all_there_and_none_in_place() -> None:
    picture = texture(64, 64)
    for seed in range(5):
        found = patch_shuffled(picture, 2, seed)
        quarters = [(x, y, x + 32, y + 32) for x in (0, 32) for y in (0, 32)]
        was, now = ([np.asarray(side.crop(box)).tobytes() for box in quarters] for side in (picture, found))
        assert sorted(was) == sorted(now) and all(a != b for a, b in zip(was, now, strict=True))


def test_jpeg_of_a_small_picture_is_jpeg() -> None:
    picture = texture(128, 128)
    assert 0 < apart(recompressed(picture, 10), picture) < apart(recompressed(picture, 99), picture)
