"""Figures are well-formed SVG with words, and draw the numbers they are given."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from rather.formats.report_figures import balance, interval, river, scatter, share_bar, stage_bar
from rather.formats.report_histogram import histogram
from rather.formats.report_text import (
    accuracy,
    compact,
    count,
    excerpt,
    figure,
    money,
    percent,
    seconds,
    size,
    tick,
    value_text,
)

EDGES = np.linspace(-1, 1, 5)
STEPS = [
    ("read.pairs", 100, 0, ""), ("filter.a", 70, 30, "short <b>"), ("synth.b", 140, 0, ""), ("filter.c", 0, 140, "x"),
]  # fmt: skip
PLACES = np.random.default_rng(0).normal(size=(9, 2))


@pytest.mark.parametrize(
    "svg",
    [
        histogram(EDGES, np.array([1.0, 4, 2, 0]), np.array([0.0, 2, 1, 0]), label='a "b" <c>', medians=(0.0, 0.2)),
        histogram(EDGES, np.zeros(4), np.zeros(4), label="empty"),
        stage_bar(10, 5, 5, 10),
        share_bar(1.7, "over"),
        river(STEPS, "rows & more"),
        scatter(PLACES, np.arange(9) % 3, np.arange(9) % 2 == 0, ["<t>"] * 9, "map"),
        scatter(np.zeros((3, 2)), np.zeros(3, int), np.zeros(3, bool), [""] * 3, "one place"),
        balance(None, 0.5, "half"),
        interval(0.5, 0.4, 0.6, (0.3, 0.7), "kept"),
        interval(1.0, 1.0, 1.0, (1.0, 1.0), "point"),
    ],
)
def test_figures_are_well_formed_and_labelled(svg: str):
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img" and root.get("aria-label")
    assert "nan" not in svg and "inf" not in svg


def test_bars_of_a_histogram_are_as_high_as_their_counts():
    root = ElementTree.fromstring(histogram(EDGES, np.array([4.0, 8, 0, 0]), np.array([4.0, 2, 0, 0]), label="x"))
    bars = [path.get("d") or "" for path in root.iter("path") if path.get("class") is None]
    heights = [128 - float(re.findall(r"V([\d.]+)", bar)[0]) for bar in bars]
    assert heights == pytest.approx([52.0, 26.0])  # 4 and 2 of at most 8, over 104 units


def test_a_river_with_one_step_is_no_figure():
    assert river(STEPS[:1], "x") == ""


def test_a_river_tells_what_left_and_escapes_why():
    svg = river(STEPS, "x")
    assert "−30" in svg and "short &lt;b&gt;" in svg and "−140" in svg


def test_numbers_as_people_write_them():
    assert [count(1234567), count(-3)] == ["1,234,567", "−3"]
    assert [figure(v) for v in (None, float("nan"), 0.0, 0.4301, -1.234, 12345.0, 3.0, 1e-7)] == [
        "–", "–", "0", "0.430", "−1.23", "12.3k", "3", "1.0e−07",
    ]  # fmt: skip
    assert [compact(v) for v in (950, 1500, 2_000_000)] == ["950", "1.5k", "2M"]
    assert [tick(v) for v in (0.8449, -888.2, 0.0)] == ["0.84", "−888", "0"]
    assert [percent(v) for v in (0.5, 0.014, 0.0, None)] == ["50\u202f%", "1.4\u202f%", "0\u202f%", "–"]
    assert [accuracy(0.684), accuracy(1.0)] == [".68", "1.00"]
    assert [seconds(v) for v in (0.01, 3.21, 42, 200, 7500)] == ["< 0.1 s", "3.2 s", "42 s", "3 min 20 s", "2 h 5 min"]
    assert [money(v) for v in (0, 0.0123, 1234.5)] == ["$0", "$0.0123", "$1,234.50"]
    assert [size(v) for v in (0, 2048, 412.3 * 2**20, 1.5 * 2**30)] == ["0 B", "2 KiB", "412 MiB", "1.5 GiB"]
    assert [value_text(v) for v in (True, None, 12, 0.5, "x")] == ["yes", "null", "12", "0.500", "x"]


def test_an_excerpt_ends_at_a_word():
    assert excerpt("one two three four five", 20) == "one two three four…"
    assert excerpt("short", 12) == "short" and excerpt(None, 3) == ""
