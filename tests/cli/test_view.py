"""`rather view`: one page that holds its rows and loads nothing, or pairs on the terminal; rows can be chosen."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ..pictures import png
from .conftest import Door
from .test_export import RECIPE, rows, write


def held(page: str | Path) -> list[dict]:
    """The rows in the page, as its script reads them."""
    text = Path(page).read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert found
    return json.loads(found[1])


def test_a_page_of_a_dataset(door: Door) -> None:
    found = rows(30)
    found[3]["chosen"] = "<script>alert(1)</script>"
    write(found)
    assert door("view", "pairs.jsonl") == (0, "pairs.jsonl.view.html\n", "")
    page = Path("pairs.jsonl.view.html").read_text(encoding="utf-8")
    shown = held("pairs.jsonl.view.html")
    assert {row["prompt"]["text"] for row in shown} == {f"q {k}" for k in range(30)}
    assert {tuple(row["values"][0]) for row in shown} >= {("margin", "0.250"), ("margin", "7.25")}
    assert "alert(1)</script>" not in page and "&lt;script&gt;alert(1)" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page) and "default-src 'none'" in page
    assert "30 rows of 30." in page and page.count("<details") == 30
    assert door("view", "pairs.jsonl", "-o", "again.html") == (0, "again.html\n", "")
    assert Path("again.html").read_text(encoding="utf-8") == page


def test_a_page_of_a_run_shows_what_was_dropped(door: Door) -> None:
    write(rows(12))
    Path("small.yaml").write_text(RECIPE, encoding="utf-8")
    assert door("run", "small.yaml", "--out", "run")[0] == 0
    assert door("view", "run") == (0, "run/view.html\n", "")
    shown = held("run/view.html")
    assert sorted(bool(row["reason"]) for row in shown) == [False] * 8 + [True] * 4
    assert {row["reason"] for row in shown} == {"", "margin below least"}
    assert "8 rows of 8 after filter.margin. 4 rows that were dropped" in Path("run/view.html").read_text("utf-8")
    assert door("view", "run", "--find", "Q 1", "-o", "found.html")[0] == 0  # q 1 was dropped; q 10 and q 11 stay
    assert sorted((row["prompt"]["text"], bool(row["reason"])) for row in held("found.html")) == [
        ("q 1", True), ("q 10", False), ("q 11", False),
    ]  # fmt: skip
    assert door("view", "run", "--stage", "score.length", "-o", "all.html")[0] == 0
    assert len(held("all.html")) == 12 and not any(row["reason"] for row in held("all.html"))


def test_a_sample_is_the_same_every_time_and_tells_of_how_many(door: Door) -> None:
    write(rows(300))
    for name in ("one", "two"):
        assert door("view", "pairs.jsonl", "--rows", "20", "-o", f"{name}.html")[0] == 0
    assert held("one.html") == held("two.html") and len(held("one.html")) == 20
    told = "20 rows of 300, drawn by the hash of their id: the same ones every time."
    assert told in Path("one.html").read_text(encoding="utf-8")


def test_pairs_on_the_terminal(door: Door) -> None:
    write(rows(40))
    code, out, _ = door("view", "pairs.jsonl", "-n", "3")
    assert code == 0 and not list(Path().glob("*.html"))
    assert out.count("this:") == out.count("rather than: no") == 3
    assert "3 rows of 40, drawn by" in out and re.search(r"margin \d.*pairs\.jsonl:\d+", out)
    code, out, _ = door("view", "pairs.jsonl", "-n", "9", "--where", "margin >= 0.5", "--where", "margin<1")
    assert code == 0 and re.findall(r"this: +yes (\d+)", out) and "2 rows of 2 that match, of 40." in out
    assert set(re.findall(r"this: +yes (\d+)", out)) == {"2", "3"}
    code, out, _ = door("view", "pairs.jsonl", "-n", "9", "--where", "verdict=tie")
    assert code == 0 and out == "0 rows of 0 that match, of 40.\n"


def test_a_null_is_never_what_was_asked_for(door: Door) -> None:
    found = rows(6)
    found[0]["margin"] = None
    write(found)
    for sign in ("<", ">=", "!="):
        code, out, _ = door("view", "pairs.jsonl", "-n", "9", "--where", f"margin {sign} 99")
        assert code == 0 and "q 0" not in out
        assert len(re.findall("rather than:", out)) == (0 if sign == ">=" else 5)


def test_rows_without_a_pair_are_shown_as_they_are(door: Door) -> None:
    write({"prompt": f"seed {k}", "topic": "birds"} for k in range(4))
    assert door("view", "pairs.jsonl", "-o", "page.html")[0] == 0
    assert {row["prompt"]["text"] for row in held("page.html")} == {f"seed {k}" for k in range(4)}
    assert all(["topic", "birds"] in row["values"] for row in held("page.html"))


def test_a_page_without_rows_says_so(door: Door) -> None:
    Path("empty.jsonl").touch()
    assert door("view", "empty.jsonl", "-o", "page.html")[0] == 0
    assert "No row is there to be shown." in Path("page.html").read_text("utf-8") and held("page.html") == []
    write(rows(3))
    assert door("view", "pairs.jsonl", "--find", "nowhere", "-o", "none.html")[0] == 0
    assert "0 rows of 0 that match, of 3." in Path("none.html").read_text("utf-8") and held("none.html") == []


def test_pictures_are_in_the_page(door: Door) -> None:
    pair = [{name: {"bytes": png(seed + k), "path": None} for name, seed in (("chosen", 0), ("rejected", 9))}
            for k in range(2)]  # fmt: skip
    table = pa.Table.from_pylist([{"prompt": f"a dog {k}", **both} for k, both in enumerate(pair)])
    pq.write_table(table, "images.parquet")
    assert door("view", "images.parquet", "-o", "page.html")[0] == 0
    assert len(set(re.findall(r'<img src="(data:image/[^"]+)"', Path("page.html").read_text("utf-8")))) == 4
    code, out, _ = door("view", "images.parquet", "-n", "1")
    assert code == 0 and "a dog" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["pair.jsonl"], "no readable file at pair.jsonl; did you mean pairs.jsonl?"),
        (["pairs.jsonl", "--where", "margn<1"], "--where: no column margn; did you mean margin?"),
        (["pairs.jsonl", "--where", "margin"], "--where margin is no comparison; as in"),
        (["pairs.jsonl", "--where", "margin<low"], "--where: column margin is double, which low is not"),
        (["pairs.jsonl", "--where", "prompt=q 1"], "--where: column prompt"),
        (["pairs.jsonl", "--stage", "x"], "pairs.jsonl: --stage is for run folders"),
        (["pairs.jsonl", "--format", "labeled"], "--format labeled is not known; did you mean labelled?"),
        (["pairs.jsonl", "--rows", "0"], "Invalid value for '--rows'"),
        (["own", "--split", "tests"], "own has no split tests; did you mean test?"),
        (["half"], "half: this run has not finished; run the same command again"),
    ],
)
def test_a_mistake_is_one_message(door: Door, words: list[str], told: str) -> None:
    write(rows(12))
    assert door("export", "pairs.jsonl", "--to", "rather", "--test", "0.4", "-o", "own")[0] == 0
    Path("half/stages").mkdir(parents=True)
    Path("half/recipe.yaml").write_text(RECIPE, encoding="utf-8")
    code, out, err = door("view", *words)
    assert (code, out) == (2, "") and told in err and err.count("\n") == 1
    assert not list(Path().rglob("*.html"))
