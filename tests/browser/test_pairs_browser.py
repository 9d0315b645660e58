"""The page of `rather view` in a real browser: rows are searched, and outcomes chosen where some were dropped."""

from __future__ import annotations

from pathlib import Path

import pytest
from rather.formats.pairs_page import pairs_page
from rather.formats.report_data import Answer, Pair

from .test_report_browser import CHROMIUM, opened

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"),
]
LOOK = """
const $ = (s) => doc.querySelector(s);
const type = (id, value) => { $(id).value = value; $(id).dispatchEvent(new page.Event("input", {bubbles: true})); };
seen.wide = doc.documentElement.scrollWidth;
seen.enhanced = !$("#browser").hidden && $("#plain").hidden;
seen.all = $("#browser").dataset.shown;
type("#find", "needle"); seen.needle = $("#browser").dataset.shown;
seen.prompt = $(".view .prompt p").textContent;
seen.outcome = page.getComputedStyle($("#outcome")).display !== "none";
seen.state = page.getComputedStyle($(".view .state")).display !== "none";
"""


def pair(k: int, reason: str = "") -> Pair:
    prompt = Answer(f"prompt {k} {'needle' * (k == 7)} {'word ' * 90}{'x' * 300}")
    return Pair(f"id{k}", "pairs.jsonl:1", "filter.margin" * bool(reason), reason, ("Chosen", "Rejected"), prompt,
                Answer("<b>good</b>"), Answer(""), (("margin", "1.20"),))  # fmt: skip


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("dropped", [False, True])
def test_rows_can_be_searched(tmp_path: Path, width: int, dropped: bool) -> None:
    gone = [pair(k, "margin below 1") for k in range(30, 34)] if dropped else []
    page = pairs_page("pairs.jsonl", "30 rows of 30.", [pair(k) for k in range(30)], gone)
    seen = opened(page, tmp_path, width, LOOK)
    assert seen["wide"] <= width and seen["enhanced"]
    assert (seen["all"], seen["needle"]) == (str(30 + len(gone)), "1") and "needle" in seen["prompt"]
    assert seen["outcome"] == seen["state"] == dropped
