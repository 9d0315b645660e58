"""The page in a real browser: no errors, nothing wider than a phone, pairs that can be searched and stepped through.

The page is shown inside a frame of a given width; a small script acts on it as a reader would
and writes what it saw into the outer page, which headless Chromium prints.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from rather.formats.report import build_report

from ..fake_view import MARGIN, FakeRun, evidence, pairs, vectors

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in NAMES if (found := shutil.which(name))), None)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--allow-file-access-from-files",
    "--enable-logging=stderr", "--virtual-time-budget=4000", "--dump-dom",
)  # fmt: skip
pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"),
]
SEEN = """
const $ = (s) => doc.querySelector(s);
const wide = doc.documentElement.scrollWidth;
const shown = () => $("#browser").dataset.shown;
const type = (id, value) => { $(id).value = value; $(id).dispatchEvent(new page.Event("input", {bubbles: true})); };
const tap = (key) => new page.KeyboardEvent("keydown", {key, bubbles: true});
const press = (key) => $(".list button[aria-current]").dispatchEvent(tap(key));
const current = () => [...doc.querySelectorAll(".list button")].findIndex((b) => b.hasAttribute("aria-current"));
seen.wide = wide;
seen.enhanced = !$("#browser").hidden && $("#plain").hidden;
seen.all = shown();
press("ArrowDown"); press("ArrowRight");
seen.after_two_steps = current();
press("ArrowLeft");
seen.after_one_back = current();
type("#outcome", "dropped"); seen.dropped = shown();
type("#find", "needle"); seen.needle = shown();
seen.prompt = $(".view .prompt p").textContent;
type("#find", "no such words"); seen.none = shown();
seen.words = $(".view").textContent;
type("#find", ""); type("#outcome", ""); type("#reason", $("#reason").options[1].value); seen.reason = shown();
const before = page.getComputedStyle(doc.body).backgroundColor;
$("#theme").click();
seen.theme = before !== page.getComputedStyle(doc.body).backgroundColor;
"""


def report() -> str:
    n = 90
    prompts = [f"prompt {k} {'needle ' * (k == 31)}{'word ' * 200}{'x' * 300}" for k in range(n)]
    run = FakeRun().source(pairs(prompts, ["<b>chosen</b> " + "y" * 200] * n, ["مرحبا"] * n))
    run.score("embed.text", {"prompt_vector": vectors(n)})
    run.score("score.reward_head", {"margin": pa.array(np.linspace(-2, 3, n))}, {"margin": MARGIN})
    run.gate(f"filter.{'a_long_name_' * 5}", ["margin below 0.1" if k < 40 else None for k in range(n)], ["margin"])
    return build_report(run.sink("diagnose.evidence", evidence()))


def opened(page: str, tmp_path: Path, width: int, script: str, fragment: str = "") -> dict:
    outer = tmp_path / "outer.html"
    act = f"""
      const frame = document.getElementById("frame"), out = document.getElementById("seen"), seen = {{}};
      frame.addEventListener("load", () => setTimeout(() => {{
        const page = frame.contentWindow, doc = frame.contentDocument;
        try {{ {script} }} catch (error) {{ seen.error = String(error); }}
        out.textContent = JSON.stringify(seen);
      }}, 200));
      frame.src = "inner.html{fragment}";"""
    (tmp_path / "inner.html").write_text(page, encoding="utf-8")
    outer.write_text(
        f'<!doctype html><meta charset="utf-8"><iframe id="frame" style="border:0" width="{width}" height="900">'
        f'</iframe><pre id="seen"></pre><script>{act}</script>',
        encoding="utf-8",
    )
    assert CHROMIUM is not None
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", outer.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    told = re.findall(r"CONSOLE.*", done.stderr)
    assert told == [], told
    found = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.S)
    assert found and found[1], done.stdout[-2000:]
    seen: dict = json.loads(html.unescape(found[1]))
    assert "error" not in seen, seen
    return seen


@pytest.mark.parametrize("width", [360, 390, 768, 1440])
def test_pairs_can_be_searched_and_nothing_is_wider_than_the_screen(tmp_path: Path, width: int):
    seen = opened(report(), tmp_path, width, SEEN)
    assert seen["wide"] <= width
    assert seen["enhanced"] and seen["theme"]
    assert (seen["all"], seen["dropped"], seen["needle"], seen["none"], seen["reason"]) == ("90", "40", "1", "0", "40")
    assert (seen["after_two_steps"], seen["after_one_back"]) == (2, 1)
    assert "needle" in seen["prompt"] and "No pair matches" in seen["words"]


def test_a_link_may_carry_a_filter(tmp_path: Path):
    look = 'seen.shown = doc.querySelector("#browser").dataset.shown;'
    seen = opened(report(), tmp_path, 390, look, "#pairs?find=needle")
    assert seen["shown"] == "1"


def test_without_scripts_the_pairs_are_there_to_read(tmp_path: Path):
    page = re.sub(r"<script.*?</script>", "", report(), flags=re.S)
    look = """
      seen.rows = doc.querySelectorAll("#plain details").length;
      seen.visible = doc.querySelector("#plain").offsetHeight > 0;"""
    seen = opened(page, tmp_path, 390, look)
    assert seen == {"rows": 90, "visible": True}
