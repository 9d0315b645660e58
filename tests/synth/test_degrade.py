"""Photos against degraded copies: what a copy says of itself, likeness in a band, and what cannot be degraded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rather.core.view import RunView
from rather.models.encoders_image import EfficientNetLite0
from rather.models.imaging import decoded, encoded
from rather.synth.degrade import Degrade
from rather.synth.degrade_search import Clean, Search
from rather.synth.pixel_ops import OPS

from ..photos import photo, photo_folder
from ..runs import run_text


def run(folder: Path, out: Path, options: str = "{}", *, seed: int = 3, **told: Any) -> RunView:
    recipe = f"name: d\nseed: {seed}\nstages:\n  - read.images: {{path: '{folder}'}}\n  - synth.degrade: {options}\n"
    return run_text(recipe, out, **told)


def rows(view: RunView) -> list[dict[str, Any]]:
    columns = ["id", "parent_id", "chosen", "rejected", "verdict", "degradation", "strength", "subject"]
    frame = view.frame("synth.degrade")
    extra = [name for name in ("degraded_similarity",) if name in frame.names]
    found: list[dict[str, Any]] = frame.table([*[n for n in columns if n in frame.names], *extra]).to_pylist()
    return found


def test_a_copy_can_be_made_again_from_what_it_says_of_itself(tmp_path: Path) -> None:
    found = rows(run(photo_folder(tmp_path / "photos"), tmp_path / "run"))
    assert len(found) == 6
    for row in found:
        clean, made_by = row["chosen"]["image"]["bytes"], row["rejected"]["made_by"]
        params = json.loads(made_by["params"])
        assert made_by["method"] == row["degradation"] and params["strength"] == row["strength"]
        assert made_by["stage"] == "synth.degrade" and params["side"] == 80 and row["verdict"] == "prefer"
        again = OPS[made_by["method"]].apply(decoded(clean), params["strength"], made_by["seed"])
        assert row["rejected"]["image"]["bytes"] == encoded(again, clean) != clean
        assert row["rejected"]["text"] is None and params["seed"] == made_by["seed"]
        if row["degradation"] == "blur":
            assert params["radius_rel"] == row["strength"] / 512


def test_the_same_bytes_whatever_the_batch_and_other_ones_by_seed(tmp_path: Path) -> None:
    photos = photo_folder(tmp_path / "photos")
    first = rows(run(photos, tmp_path / "one", batch=1, workers=3))
    assert first == rows(run(photos, tmp_path / "all"))
    assert first != rows(run(photos, tmp_path / "other", seed=4))


def test_kinds_strengths_and_number_are_the_users(tmp_path: Path) -> None:
    options = "{kinds: [blur, jpeg], strengths: {blur: [3.5]}, each: 2}"
    found = rows(run(photo_folder(tmp_path / "photos", 1), tmp_path / "run", options))
    assert [sorted(row["degradation"] for row in found[k : k + 2]) for k in (0, 2)] == [["blur", "jpeg"]] * 2
    assert {row["strength"] for row in found if row["degradation"] == "blur"} == {3.5}
    assert len({row["id"] for row in found}) == 4


def test_a_sweep_makes_every_kind_and_strength(tmp_path: Path) -> None:
    found = rows(run(photo_folder(tmp_path / "photos", 1, 1), tmp_path / "run", "{kinds: [noise, crop], sweep: true}"))
    assert [(row["degradation"], row["strength"]) for row in found] == [
        (kind, strength) for kind in ("noise", "crop") for strength in OPS[kind].ladder
    ]


def test_what_cannot_be_degraded_is_named(tmp_path: Path) -> None:
    root = photo_folder(tmp_path / "photos", 1, 1)
    (root / "subject_0/b.jpg").write_bytes(photo(3)[:700])
    (root / "subject_0/c.jpg").write_bytes(b"")
    Image.new("RGB", (8, 8), "red").save(root / "subject_0/d.png")
    recipe = f"stages:\n  - read.images: {{path: '{root}'}}\n  - synth.degrade: {{kinds: [blur, downsample]}}\n"
    view = run_text("name: d\nmax_failed: 0.5\n" + recipe, tmp_path / "run")
    reasons = view.dropped("synth.degrade")["reason"].to_pylist()
    assert sorted(reasons) == ["no degradation changes the image", "no image to degrade"]
    failed = view.failed("synth.degrade").to_pylist()
    assert len(failed) == 1 and "not a picture that can be read" in failed[0]["error"]
    assert len(rows(view)) == 1


@pytest.mark.parametrize("band", [(0.8, 0.9), (0.5, 0.6)])
def test_copies_lie_in_the_band(tmp_path: Path, band: tuple[float, float]) -> None:
    options = f"{{target: [{band[0]}, {band[1]}]}}"
    view = run(photo_folder(tmp_path / "photos"), tmp_path / "run", options)
    found, encoder = rows(view), EfficientNetLite0()
    assert len(found) + view.dropped("synth.degrade").num_rows == 6 and len(found) >= 4
    for row in found:
        a, b = encoder.encode([row["chosen"]["image"]["bytes"], row["rejected"]["image"]["bytes"]])
        assert band[0] <= float(a @ b) <= band[1]
        assert row["degraded_similarity"] == pytest.approx(float(a @ b), abs=1e-5)
        params = json.loads(row["rejected"]["made_by"]["params"])
        assert params["encoder"] == "efficientnet" and params["similarity"] == pytest.approx(float(a @ b), abs=1e-5)


def test_a_band_out_of_reach_drops_with_the_nearest_likeness(tmp_path: Path) -> None:
    view = run(photo_folder(tmp_path / "photos", 1), tmp_path / "run", "{kinds: [jpeg], target: [-1.0, -0.9]}")
    dropped = view.dropped("synth.degrade").to_pylist()
    assert [row["reason"] for row in dropped] == ["no strength gives a likeness in the band"] * 2
    assert all(-0.9 < json.loads(row["values"])["similarity"] < 1 for row in dropped)


def test_the_gap_is_halved_until_the_band_is_met(monkeypatch: pytest.MonkeyPatch) -> None:
    """Likeness made 1 - strength / 100: from rungs at 10 and 90 the band .49 to .53 is met at 50."""
    tried: list[float] = []

    def worse(self: Clean, kind: str, strength: float, seed: int) -> bytes:
        tried.append(strength)
        return str(strength).encode()

    monkeypatch.setattr(Clean, "worse", worse)
    search = Search(Clean.of(photo(1)), "jpeg", 0, lambda images: [1 - float(image) / 100 for image in images])
    assert search.found((90.0, 10.0), (0.49, 0.53)).strength == 50 and tried == [10, 90, 50]
    tried.clear()
    assert search.found((10.0, 90.0), (0.93, 0.95)).within((0.93, 0.95)) and tried[2] == 5.5
    tried.clear()
    assert not search.found((10.0, 30.0), (0.0, 0.1)).within((0.0, 0.1)) and tried == [10, 30]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": (0.9, 0.5)}, "not below its end"),
        ({"sweep": True, "each": 2}, "leave out target and each"),
        ({"kinds": ("blur",), "each": 2}, "more kinds than are allowed"),
        ({"strengths": {"jpeg": (120.0,)}}, "not within 1 to 99"),
    ],
)
def test_mistakes_are_told_before_the_run(options: dict[str, Any], words: str) -> None:
    faults = Degrade(**options).faults()
    assert len(faults) == 1 and words in faults[0]


@pytest.mark.parametrize("kind", ["blur", "noise", "jpeg", "downsample", "occlude"])
def test_likeness_of_real_photos_falls_with_strength(data: Path, kind: str) -> None:
    """Mean cosine of twelve photos of six subjects, for the usual strengths; each photo for most steps."""
    paths = sorted((data / "images/dreambooth_subset").glob("*/0[01].jpg"))[:12]
    encoder, photos = EfficientNetLite0(), [path.read_bytes() for path in paths]
    start = encoder.encode(photos)
    cosines = []
    for strength in OPS[kind].ladder:
        worse = [Clean.of(photo).worse(kind, strength, 7 + k) or photo for k, photo in enumerate(photos)]
        cosines.append(np.sum(encoder.encode(worse) * start, axis=1))
    steps = np.diff([np.ones(12), *cosines], axis=0)
    assert (steps.mean(axis=1) < -0.02).all() and (steps < 0).mean() > 0.95
