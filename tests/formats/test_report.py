"""The page says what the run says, escapes everything, and stands without any of its parts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from rather.core.declared import Column
from rather.core.row import COLUMNS
from rather.formats.report import build_report, write_report
from rather.formats.thumbnails import MOST, SIDE

from ..fake_view import MARGIN, FakeRun, evidence, pairs, vectors

VOID = {"meta", "link", "img", "input", "br", "line", "circle", "rect", "path", "stop"}
NASTY = '</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> & "quoted"'


class Page(HTMLParser):
    """Elements, links and text of a page; complains of tags that do not close."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif "style" not in self.open:
            self.text += data

    def of(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attrs for name, attrs in self.tags if name == tag)


def full_run(n: int = 90) -> FakeRun:
    margins = np.linspace(-2, 3, n)
    run = FakeRun().source(
        pairs([f"prompt {k} about topic {k % 4}" for k in range(n)], ["a longer answer"] * n, ["short"] * n)
    )
    run.score("embed.text", {"prompt_vector": vectors(n)})
    run.score("score.reward_head", {"margin": pa.array(margins)}, {"margin": MARGIN}, seconds=3.0)
    run.gate("split.heldout", ["held out for evidence" if k % 9 == 0 else None for k in range(n)], shape="select")
    left = run.tables[run.last]["margin"].to_pylist()
    run.gate("filter.margin", ["margin below 0.1" if m < 0.1 else None for m in left], ["margin"])
    run.skip("train.trl", "sink", "if: gpu")
    run.sink("write.parquet", {"path": "out/data", "bytes": 12345})
    run.sink("diagnose.evidence", evidence())
    return run


def browsed(page: Page) -> list[dict]:
    return json.loads(page.scripts[0])


def test_the_page_tells_counts_reasons_values_and_evidence():
    run = full_run()
    page = Page(build_report(run))
    kept, dropped = run.tables["filter.margin"].num_rows, run.gone["filter.margin"].num_rows
    assert f"90 pairs in, {kept} kept; held-out accuracy .64 → .68" in page.text
    assert f"{dropped} margin below 0.1" in page.text
    assert "10 of them held out" in page.text
    assert "skipped: if: gpu" in page.text
    assert "the crowd's own" in page.text
    assert "reward of chosen less reward of rejected" in page.text and "higher: chosen better" in page.text
    assert "12 KiB" in page.text
    assert "seed: 7" in page.text
    rows = browsed(page)
    assert len([row for row in rows if not row["reason"]]) == min(kept, 60)
    gone = [row for row in rows if row["reason"] == "margin below 0.1"]
    assert gone and all(row["values"][0][0] == "margin" for row in gone)
    shown = {row["id"] for row in rows if not row["reason"]}
    assert shown <= set(run.tables["filter.margin"]["id"].to_pylist())


def test_facts_of_sinks_are_told_in_words():
    facts = {"rows": {"train": 1200, "test": 40}, "left_out": {}, "files": [{"a": 1}, {"a": 2}], "split": ["a", "b"]}
    page = Page(build_report(FakeRun().source(pairs(["p"], ["a"], ["b"])).sink("write.parquet", facts | {"mean": 3.0})))
    told = page.text.split("Left behind")[1].split("Provenance")[0]
    assert all(words in told for words in ("train 1,200, test 40", "files2", "a, b", "mean3"))
    assert "left out" not in told and "{" not in told


def test_the_page_is_the_same_at_every_build():
    assert build_report(full_run()) == build_report(full_run())


def test_nothing_is_loaded_and_only_our_script_may_run():
    page = Page(build_report(full_run()))
    for tag, attrs in page.tags:
        for name in ("src", "href", "action", "data"):
            value = attrs.get(name)
            assert not value or value.startswith(("#", "data:")), (tag, value)
    policy = next(a["content"] for a in page.of("meta") if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.scripts[1].encode()).digest()).decode()
    assert "default-src 'none'" in policy and f"script-src 'sha256-{digest}'" in policy
    assert not re.search(r"url\((?!#)|@import|https?://", build_report(full_run()))


def test_text_from_rows_reasons_and_recipe_is_escaped():
    run = FakeRun(recipe=f"# {NASTY}\nname: {json.dumps(NASTY)}\nseed: 1\n")
    run.source(pairs([NASTY] * 8, [NASTY] * 8, ["plain"] * 8))
    run.score("score.x", {"label": pa.array(np.arange(8.0))}, {"label": Column("label", NASTY)})
    run.gate("filter.x", [NASTY, None] * 4, ["label"])
    run.sink("write.x", {NASTY: NASTY})
    page = Page(build_report(run))
    assert len(list(page.of("script"))) == 2 and not list(page.of("img"))
    assert page.text.count(NASTY) > 8
    assert {row["chosen"]["text"] for row in browsed(page)} == {NASTY}
    assert "<" not in page.scripts[0] and ">" not in page.scripts[0]


def test_every_id_is_used_once_and_every_figure_has_words():
    page = Page(build_report(full_run()))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert all(attrs.get("aria-label") for attrs in page.of("svg"))
    targets = {attrs["href"][1:] for attrs in page.of("a") if (attrs.get("href") or "").startswith("#")}
    assert targets <= set(ids)


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_a_source_alone(rows: int):
    page = Page(build_report(FakeRun().source(pairs(["p"] * rows, ["a"] * rows, ["b"] * rows))))
    assert "No row was dropped" in page.text
    assert "No stage wrote a score" in page.text
    assert "No stage wrote vectors" in page.text
    assert "Evidence was not asked for" in page.text and "diagnose.evidence" in page.text
    assert ("No rows reached this run" in page.text) == (rows == 0)


def test_a_run_that_has_not_begun():
    page = Page(build_report(FakeRun()))
    assert "Nothing has run yet" in page.text


def test_no_row_kept():
    run = FakeRun().source(pairs([f"p{k}" for k in range(40)], ["aa"] * 40, ["b"] * 40))
    run.score("embed.text", {"prompt_vector": vectors(40)})
    run.score("score.m", {"margin": pa.array(np.linspace(0, 1, 40))}, {"margin": MARGIN})
    run.gate("filter.all", ["all go"] * 40, ["margin"])
    page = Page(build_report(run))
    assert "40 pairs in, 0 kept" in page.text
    assert len(browsed(page)) == 40


def test_values_without_a_number_and_rows_without_text():
    n = 30
    table = pairs([f"p{k}" for k in range(n)], [None] * n, [None] * n)
    run = FakeRun().source(table)
    broken = pa.array([None, float("nan"), float("inf")] * 10, pa.float64())
    run.score("score.m", {"margin": broken, "other": pa.nulls(n, pa.int64())})
    page = Page(build_report(run))
    assert "no text pairs" in page.text


def test_forty_stages_and_long_names():
    run = FakeRun().source(pairs([f"p{k}" for k in range(200)], ["aa"] * 200, ["b"] * 200))
    for k in range(40):
        left = run.tables[run.last].num_rows
        run.gate(f"filter.{'very_' * 12}long_{k}", [f"reason {k}"] + [None] * (left - 1))
    page = Page(build_report(run))
    assert all(f"long_{k}" in page.text for k in range(40))
    assert "200 pairs in, 160 kept" in page.text


def test_more_reasons_than_are_laid_out():
    run = FakeRun().source(pairs([f"p{k}" for k in range(60)], ["aa"] * 60, ["b"] * 60))
    page = Page(build_report(run.gate("filter.x", [f"reason {k}" for k in range(60)])))
    assert "20 rarer reasons" in page.text


def test_other_scripts_and_very_long_texts():
    texts = ["مرحبا كيف الحال؟", "👩‍👩‍👧‍👦🏳️‍🌈 family", "x" * 90_000, "漢字かな交じり文"]
    page = Page(build_report(FakeRun().source(pairs(texts, texts, texts))))
    assert "مرحبا كيف الحال؟" in page.text and "👩‍👩‍👧‍👦" in page.text
    cut = next(row for row in browsed(page) if row["prompt"]["text"].startswith("xxx"))
    assert cut["prompt"]["cut"] == 90_000 and len(cut["prompt"]["text"]) < 5000
    assert "90,000 characters" in page.text
    assert any(attrs.get("dir") == "auto" for attrs in page.of("p"))


def png(colour: str, side: int = 900) -> bytes:
    from PIL import Image

    out = BytesIO()
    Image.new("RGBA", (side, side // 2), colour).save(out, "PNG")
    return out.getvalue()


def test_images_are_shown_small_and_few():
    from PIL import Image

    n = 40
    table = pairs([f"p{k}" for k in range(n)], ["a"] * n, ["b"] * n).drop_columns(["rejected"])
    rows = [{"text": None, "image": {"bytes": png(f"#{k:02x}8844"), "path": f"{k}.png"}} for k in range(n - 1)]
    rows.append({"text": None, "image": {"bytes": b"not an image", "path": "broken.png"}})
    table = table.append_column("rejected", pa.array(rows, COLUMNS["rejected"]))
    page = Page(build_report(FakeRun().source(table)))
    data = {attrs["src"] or "" for attrs in page.of("img")}
    sizes = [Image.open(BytesIO(base64.b64decode(source.partition(",")[2]))).size for source in data]
    assert 0 < sizes.count((SIDE, SIDE // 2)) <= MOST and all(max(size) <= SIDE for size in sizes)
    words = [row["rejected"]["text"] for row in browsed(page)]
    assert any(re.fullmatch(r"\[\d+\.png\]", text) for text in words)
    assert sum("broken.png: not readable" in text or text == "[broken.png]" for text in words) == 1


def test_rows_with_candidates_only():
    table = pairs(["p", "q"], ["a", "a"], ["b", "b"]).drop_columns(["chosen", "rejected"])
    answers = [[{"text": f"candidate text {k}"} for k in range(3)]] * 2
    table = table.append_column("candidates", pa.array(answers, COLUMNS["candidates"]))
    scores = pa.array([[0.1, 0.2, None]] * 2, pa.list_(pa.float64()))
    page = Page(build_report(FakeRun().source(table).score("score.clip", {"clip": scores})))
    assert "2 rows in, 2 kept" in page.text
    assert browsed(page)[0]["heads"] == ["Candidate 1 of 3", "Candidate 2 of 3"]
    assert "candidate text 1" in page.text and "by score.clip" in page.text


def test_writing_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "deep" / "report.html"
    assert write_report(full_run(), path) == path
    before = path.read_bytes()
    assert before.startswith(b"<!doctype html>")

    def fails(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(OSError, match="no space"):
        write_report(FakeRun(), path)
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == ["report.html"]
