"""The gallery of a run on images: pictures, curves and the window, from what the rows and the recipe say."""

from __future__ import annotations

import base64
import io
import json
import math
import re
from functools import cache
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from rather.core.declared import Column
from rather.core.row import COLUMNS
from rather.formats.report import build_report
from rather.formats.report_gallery import DISPLAYS, SIDE
from rather.formats.report_likeness import windows_of
from rather.formats.report_plots import OPEN, Axis, axis, score_plane, strength_curve

from ..fake_view import FakeRun, pairs
from ..photos import photo
from .test_report import NASTY, Page, full_run

SIMILARITY = Column("similarity", "an image-image proxy", pa.float64(), "cosine", -1, 1, "neither")
RECIPE = """name: photos
stages:
  - read.images: {path: photos}
  - synth.degrade: {}
  - score.image_similarity: {}
  - filter.band: {low: 0.3, high: 0.9}
"""
SIDES = ("chosen", "rejected")
KINDS = ("blur", "noise", "jpeg", "patch_shuffle")


@cache
def image(seed: int) -> dict[str, Any]:
    return {"bytes": photo(seed, width=400, height=300), "path": f"{seed}.jpg"}


def image_run(n: int = 48, faults: bool = False) -> FakeRun:
    """Photos degraded in four kinds and four strengths, with a likeness that falls from .95 to .2."""
    table = pairs([f"a photo of a thing {k}" for k in range(n)], [None] * n, [None] * n)
    level = [k // len(KINDS) % 4 for k in range(n)]
    rejected = []
    for k in range(n):
        told = {"strength": 2.5 * 2 ** level[k], "side": 512, "seed": k}
        made_by = {"stage": "synth.degrade", "method": KINDS[k % 4], "params": json.dumps(told), "seed": k}
        rejected.append({"image": image(100 + k % 5), "made_by": made_by})
    chosen: list[Any] = [{"image": image(k % 5)} for k in range(n)]
    images: list[Any] = [[image(50 + k % 3)] for k in range(n)]
    if faults:
        chosen[4], images[5], rejected[6]["image"] = {"text": NASTY}, None, {"bytes": b"no", "path": NASTY}
    for name, values in (("chosen", chosen), ("rejected", rejected), ("images", images)):
        if name in table.column_names:
            table = table.drop_columns([name])
        table = table.append_column(name, pa.array(values, COLUMNS[name]))
    table = table.append_column("degradation", pa.array([KINDS[k % 4] for k in range(n)]))
    table = table.append_column("strength", pa.array([2.5 * 2 ** level[k] for k in range(n)]))
    likeness = pa.array([0.95 - 0.25 * level[k] for k in range(n)])
    run = FakeRun(RECIPE).source(table, "read.images").score(
        "score.image_similarity", {"similarity": likeness}, {"similarity": SIMILARITY}
    )  # fmt: skip
    run.score("score.image_quality", {"rejected_sharpness": pa.array(np.geomspace(1, 9000, n))})
    why = ["above the band" if v > 0.9 else "below the band" if v < 0.3 else None for v in likeness.to_pylist()]
    return run.gate("filter.band", why, ["similarity"])


def test_rows_are_shown_as_pictures_with_what_was_done_to_them() -> None:
    page = Page(build_report(image_run()))
    told = page.text.split("Gallery")[-1].split("Likeness against strength")[0]
    assert f"{DISPLAYS} kept rows" in told
    for words in ("Reference", "Chosen", "Rejected", "a photo of a thing", "patch shuffle, strength 5", "side 512"):
        assert words in told
    assert all(told.count(f"{kind.replace('_', ' ')}, strength") == 3 for kind in KINDS)
    assert "seed" not in told and "similarity" in told


def test_thumbnails_are_small_and_bounded() -> None:
    html = build_report(image_run(200))
    gallery = html.split('id="gallery"')[1].split('id="reasons"')[0]
    sources = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', gallery)
    assert len(sources) == 3 * DISPLAYS
    for source in set(sources):
        assert max(Image.open(io.BytesIO(base64.b64decode(source))).size) == SIDE
    assert len(gallery) < 600_000


def test_curves_tell_means_and_what_was_kept() -> None:
    page = Page(build_report(image_run()))
    rows = page.text.split("Likeness against strength")[1].split("Two scores")[0]
    assert rows.count("2.530.9500.950 – 0.9500\u202f%") == 4 == rows.count("1030.4500.450 – 0.450100\u202f%")
    labels = [attrs["aria-label"] or "" for attrs in page.of("svg")]
    assert "similarity against the strength of blur: 0.950 at 2.5, 0.200 at 20" in labels
    assert any(label.startswith("similarity against rejected_sharpness of 48 rows, 24") for label in labels)
    assert "shaded: similarity from 0.300 to 0.900" in page.text


def test_paintings_are_judged_by_what_the_filter_judges_them_by() -> None:
    """Without a likeness of its own the curve shows the rejected side's cosine, and a digest stays untold."""
    run = image_run(16)
    table = run.tables["read.images"].append_column("stars", pa.array(range(16)))
    about = {f"{side}_dino": Column(f"{side}_dino", "d", pa.float64(), "cosine", -1, 1, "higher") for side in SIDES}
    run = FakeRun(RECIPE.replace("low: 0.3", "column: rejected_dino, low: 0.3")).source(table, "read.images")
    run.score("score.dino", {name: pa.array(np.linspace(0.2, 0.8, 16)) for name in about}, about)
    page = Page(build_report(run))
    assert "Mean rejected_dino by what was degraded" in page.text
    labels = [attrs["aria-label"] or "" for attrs in page.of("svg")]
    assert any(label.startswith("rejected_dino against chosen_dino of 16 rows") for label in labels)
    assert "stars" not in page.text.split("Gallery")[-1].split("Likeness")[0]


def test_a_run_without_images_shows_none_of_it() -> None:
    html = build_report(full_run())
    assert 'id="gallery"' not in html and ">Gallery<" not in html and "Likeness" not in html


def test_what_is_missing_or_broken_is_told_and_escaped() -> None:
    html = build_report(image_run(8, faults=True))
    page = Page(html)
    assert all(attrs.get("src", "").startswith("data:") for attrs in page.of("img"))
    told = page.text.split("Gallery")[-1].split("Why rows were dropped")[0]
    assert "no image" in told and "<script>alert" not in html
    assert len(page.scripts) == 2


def test_candidates_are_pictures_too() -> None:
    table = pairs(["p", "q"], ["a"] * 2, ["b"] * 2).drop_columns(["chosen", "rejected"])
    answers = [[{"image": image(k)} for k in range(5)]] * 2
    table = table.append_column("candidates", pa.array(answers, COLUMNS["candidates"]))
    told = Page(build_report(FakeRun().source(table))).text
    assert "Candidate 3" in told and "Candidate 4" not in told.split("Gallery")[-1].split("Why")[0]


def test_windows_are_read_from_the_recipe() -> None:
    more = (
        RECIPE
        + "  - filter.margin: {column: m, least: 0.1}\n  - filter.band: {column: x, high: 2}\n  - filter.margin\n"
    )
    assert windows_of(RECIPE + more) == {"similarity": (0.3, 0.9), "m": (0.1, None), "x": (None, 2)}
    assert windows_of("name: none") == {}


def test_an_axis_goes_by_ratios_where_values_are_far_apart() -> None:
    wide = axis(np.geomspace(1, 10_000, 20), 0, 100)
    assert wide.log and wide.at(100) == pytest.approx(50) and wide.ticks()[1] == pytest.approx(100)
    plain = axis(np.linspace(-1, 1, 20), 0, 100)
    assert not plain.log and plain.at(0) == pytest.approx(50)
    assert plain.at(math.inf) == 100 and plain.at(-math.inf) == 0 and wide.at(-math.inf) == 0
    assert axis(np.zeros(3), 0, 10).at(0) == 5


POINTS = np.random.default_rng(1).normal(size=(30, 2))
ONES = np.ones(30, int)


@pytest.mark.parametrize(
    "svg",
    [
        strength_curve(["1", "2"], [0.9, 0.2], np.array([0.8, 0.1]), np.array([0.95, 0.4]), (0.3, None), 'a "b" <c>'),
        strength_curve(["1"], [-0.5], np.array([-0.7]), np.array([0.1]), OPEN, "one"),
        score_plane(POINTS, ONES, ONES > 0, ("<x>", "y"), ((0.0, None), OPEN), "plane"),
        score_plane(np.exp(9 * POINTS), ONES, ONES < 0, ("x", "y"), (OPEN, OPEN), "ratios"),
        score_plane(np.zeros((2, 2)), ONES[:2], ONES[:2] > 0, ("x", "y"), ((5, 6), (-9, 9)), "one place"),
    ],
)
def test_figures_are_well_formed_and_labelled(svg: str) -> None:
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img" and root.get("aria-label")
    assert "nan" not in svg and "inf" not in svg
    for rect in root.iter("rect"):
        assert float(rect.get("width", -1)) >= 0 and float(rect.get("height", -1)) >= 0


def test_the_window_lies_where_it_should() -> None:
    svg = strength_curve(["1", "2"], [0.9, 0.2], np.array([0.8, 0.1]), np.array([0.95, 0.4]), (0.25, 0.75), "w")
    window = next(rect for rect in ElementTree.fromstring(svg).iter("rect") if rect.get("class") == "window")
    y = Axis(0.0, 1.0, 140.0, 12.0)
    assert float(window.get("y", "")) == pytest.approx(y.at(0.75), abs=0.1)
    assert float(window.get("height", "")) == pytest.approx(y.at(0.25) - y.at(0.75), abs=0.1)
