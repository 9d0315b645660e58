"""Recipes of rubrics, feedback and refinement: rows end to end, calls as the header says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .faking import calls, faked, written

TWO = ["Name a prime below five.", "Name an even number below five."]
COMPARING = "You compare two answers"


def items(*found: Any) -> str:
    return json.dumps({"items": found})


def prefers(*better: str) -> list[tuple[list[str], str]]:
    """A judge for whom answers that begin so win in both orders."""
    return [([COMPARING, f"# Answer {shown}\n{text}"], shown) for text in better for shown in "AB"]


def test_crg(tmp_path: Path) -> None:
    rows = {"prompt": TWO, "chosen": ["Three is one", "Four is one"], "rejected": ["Four is one", "Six is one"]}
    lines = [{"kind": "principle", "criterion": "The number is of the kind asked for."}]
    script = [
        ("You write rubrics", json.dumps({"demands": [], "differences": ["the kind"], "items": lines})),
        ([COMPARING, TWO[1], "# Answer A\nFour"], "A"), ([COMPARING, TWO[1]], "B"),
        *prefers("Three"),
        (["You check an answer", "# Answer\nSix"], '{"1": {"why": "above five", "met": false}}'),
        (["You check an answer", "# Answer\nFour", TWO[0]], '{"1": {"why": "not prime", "met": false}}'),
        ("You check an answer", '{"1": {"why": "it is", "met": true}}'),
    ]  # fmt: skip
    view = faked("crg", rows, tmp_path, script)
    found = written(tmp_path)
    assert [row["chosen"] for row in found] == rows["chosen"] and calls(view) == 5 * 2
    assert {row["chosen_rubric_score"] for row in found} == {1.0} and found[0]["rubric"][0]["id"] == "p1"
    assert view.facts["diagnose.rubrics"]["outcomes"] == {"fail": 0, "pass": 2, "parse_error": 0}


def test_rubric_rm(tmp_path: Path) -> None:
    lines = [{"kind": "principle", "criterion": "The number is of the kind asked for."}]
    script = [
        ("You write rubrics", json.dumps({"demands": [], "differences": ["the kind"], "items": lines})),
        *prefers("Three"),
    ]
    rows = {"prompt": TWO[:1], "chosen": ["Three is one"], "rejected": ["Four is one"]}
    view = faked("rubric-rm", rows, tmp_path, script)
    found = {row["kind"]: row for row in written(tmp_path)}
    assert set(found) == {"generator", "judge"} and calls(view) == 3
    assert found["judge"]["completion"] in ("A", "B") and "of the kind" in found["generator"]["completion"]


def test_refed(tmp_path: Path) -> None:
    new = [f"Write about {thing}." for thing in (
        "the tide at noon", "seven kinds of bread", "old maps", "a lighthouse keeper's day", "how glass is blown",
        "winter birds", "repairing a clock", "roof gardens in cities", "the first telegraph", "sleep and memory",
    )]  # fmt: skip
    script = [
        ("What makes this", "Clear and specific."),
        ("new prompts with the same qualities", items(*new)),
        ("The revised answer:", "Better said."),
        *prefers("Better said."),
        ("Write about", "Said."),
    ]
    view = faked("refed", {"prompt": TWO[:1], "chosen": ["Three."]}, tmp_path, script)
    found = written(tmp_path)
    assert [row["prompt"] for row in found] == new and calls(view) == 23 + 2 * 10
    assert {(row["chosen"], row["rejected"], row["confirmed_p"]) for row in found} == {("Better said.", "Said.", 1.0)}


def test_cnr(tmp_path: Path) -> None:
    script = [
        *((["Write the critique", f"\nNo {k}."], f"Not {k}.") for k in range(3)),
        *((["revised answer:", f"Not {k}."], f"No {k + 1}.") for k in range(3)),
        *prefers("No 1.", "No 2.", "No 3."),
    ]
    view = faked("cnr", {"prompt": TWO, "chosen": ["No 0."] * 2}, tmp_path, script)
    found = written(tmp_path)
    assert sorted(row["chosen"] for row in found) == ["No 1.", "No 1.", "No 2.", "No 2.", "No 3.", "No 3."]
    assert {row["rejected"] for row in found} == {"No 0."} and calls(view) == 2 * (6 + 3 * 2)
    assert found[0]["chain"] == ["No 0.", "No 1.", "No 2.", "No 3."] and found[0]["critique"]["text"] == "Not 0."


def test_self_contrast(tmp_path: Path) -> None:
    views = [f"Way {k}." for k in range(5)]
    script = [
        ("Name 5 ways", items(*views)),
        ("You compare two attempts", items("the number named")),
        ("You turn differences", items("It is prime.")),
        ("The final answer:", "Three."),
        ("Which items are not met", items(1)),
        *prefers("Three."),
        *((f"# Approach\nWay {k}.", text) for k, text in enumerate(("Six", "Four trees", "Zero", "Six", "Nine lives"))),
    ]
    view = faked("self-contrast", {"prompt": TWO[:1]}, tmp_path, script)
    found = written(tmp_path)
    assert len(found) == 3 and calls(view) == 14 + 2 * 3
    assert found[0]["rubric"][0]["criterion"] == "It is prime." and found[0]["disagreement"] == 1.0


def test_refeed(tmp_path: Path) -> None:
    (tmp_path / "passages.jsonl").write_text(
        "\n".join(json.dumps({"text": f"{n} is a prime number."}) for n in ("Three", "Seven", "Two")), encoding="utf-8"
    )
    script = [
        ("Answer from what you know", ["It is four.", "Four is prime.", "Four, a number."]),
        ("The revised answer:", "Three is prime."), *prefers("Three is prime."), ("Do the passages support", "yes"),
    ]  # fmt: skip
    documents = f"synth.retrieval_feedback.documents={tmp_path / 'passages.jsonl'}"
    view = faked("refeed", {"prompt": TWO[:1]}, tmp_path, script, documents)
    [found] = written(tmp_path)
    assert (found["chosen"], found["rejected"]) == ("Three is prime.", "Four is prime.") and calls(view) == 7
    assert sorted(found["evidence_ids"]) == [0, 1, 2] and found["spans"][0]["comment"] == "Four"


def test_honeset(tmp_path: Path) -> None:
    def scores(overall: int) -> str:
        return json.dumps({"acknowledgement": 5, "solution": 5, "guidance": 5, "overall": overall})

    script = [
        ("Your reply to the user:", "I cannot know. Ask a librarian."),
        ("confuses you or exceeds", "I have no library card."),
        (["Score from 1 to 10", "I cannot know"], scores(9)), ("Score from 1 to 10", scores(3)),
        (["Is the answer honest", "I cannot know"], "yes"), ("Is the answer honest", "no"),
        ("Name", "It is on shelf four."),
    ]  # fmt: skip
    view = faked("honeset", {"prompt": TWO}, tmp_path, script)
    found = written(tmp_path)
    assert {row["chosen"] for row in found} == {"I cannot know. Ask a librarian."} and calls(view) == 7 * 2
    assert found[0]["chosen_h2"] == 9.0 and found[0]["confusion"] == "I have no library card."


def test_sam(tmp_path: Path) -> None:
    outline = {"kind": "note", "structure": ["one claim"], "manner": "plain", "quality": "fair"}
    script = [
        ("You describe a piece", json.dumps(outline)),
        ("You write a piece", "The mill burned down twice, sadly."),
    ]
    rows = {"prompt": ["Tell what happened."] * 2, "chosen": ["My uncle Ole lost his boat.", "Our cat ate six fish."]}
    view = faked("sam", rows, tmp_path, script)
    found = written(tmp_path)
    assert [row["completion"] for row in found] == ["The mill burned down twice, sadly."] * 2
    assert calls(view) == 2 * 2 and view.facts["diagnose.mimicry"]["rows"] == 2
    assert not any("Ole" in str(row) or "cat" in str(row["completion"]) for row in found)


def test_feedsum(tmp_path: Path) -> None:
    good, poor = ["It opened in 1901.", "In 1901 it opened."], ["Fish swim.", "Birds fly."]
    script = [
        ("You extract the key facts", items("It opened in 1901.")),
        *((["You check a summary", text], items({"number": 1, "error": "none"})) for text in good),
        ("You check a summary", items({"number": 1, "error": "not_in_document"})),
        *((["You align key facts", f"of the summary\n1. {t}"], items({"number": 1, "sentences": [1]})) for t in good),
        ("You align key facts", items({"number": 1, "sentences": []})),
    ]
    both = tmp_path / "weak.jsonl"
    both.write_text(json.dumps({"contains": "Summarize the following", "reply": poor}))
    sets = (f"models.weak.script={both}",)
    view = faked("feedsum", {"prompt": ["The bridge."]}, tmp_path, [*script, ("Summarize", good)], *sets)
    found = written(tmp_path)
    assert len(found) == 4 and calls(view) == 13
    assert {(r["chosen_composite"], r["rejected_composite"], r["margin"]) for r in found} == {(1.0, 0.0, 1.0)}


def test_cdf(tmp_path: Path) -> None:
    prompts = ["Easy one", "Middling one", "Hard one"]
    answers = {p: [f"{p} said {k}" for k in range(4)] for p in prompts}
    marks = {"Easy one": (9, 9, 9, 8), "Middling one": (6, 5, 6, 6), "Hard one": (1, 2, 1, 1)}
    script = [
        *((["# Answer\n" + text + "\n", "the score alone"], str(mark))
          for p in prompts for text, mark in zip(answers[p], marks[p], strict=True)),
        ("Write the critique", "Say more."), ("The revised answer:", "Much more said."),
        *((p, answers[p]) for p in prompts),
    ]  # fmt: skip
    view = faked("cdf", {"prompt": prompts}, tmp_path, script)
    found = {row["kind"]: row for row in written(tmp_path)}
    assert set(found) == {"critique", "refinement", "preference"} and calls(view) == 3 * 8 + 1 + 2
    assert found["preference"]["chosen"]["text"] == "Hard one said 1" and found["preference"]["margin"] == 1.0
    assert found["refinement"]["chosen"]["text"] == "Much more said." and found["critique"]["rejected"] is None


def test_sefl(tmp_path: Path) -> None:
    work = {"work": "Plants eat soil. They breathe at night.", "errors": [
        {"span": "eat soil", "type": "concept", "note": "They do not."},
        {"span": "at night", "type": "claim", "note": "Always."},
    ]}  # fmt: skip
    script = [
        ("Set one assignment", "Explain plants."), ("You play a student", json.dumps(work)),
        (["You check which errors", "Sharp"], items(*({"number": k, "addressed": True} for k in (1, 2)))),
        ("You check which errors", items(*({"number": k, "addressed": k == 1} for k in (1, 2)))),
        ("Your feedback:", ["Sharp.", "Kind.", "Short."]),
    ]  # fmt: skip
    view = faked("sefl", {"prompt": ["On plants."]}, tmp_path, script)
    [found] = written(tmp_path)
    assert (found["chosen"], found["margin"]) == ("Sharp.", 0.5) and found["rejected"] in ("Kind.", "Short.")
    assert calls(view) == 8 and len(found["spans"]) == 2


@pytest.mark.parametrize("faults", [{}, {"unparsable": 0.2, "refused": 0.15, "truncated": 0.15}], ids=["sound", "poor"])
@pytest.mark.parametrize("name", ["crg", "refed", "cnr", "self-contrast", "honeset", "sam", "feedsum", "cdf", "sefl"])
def test_replies_by_chance_break_nothing(tmp_path: Path, name: str, faults: dict[str, float]) -> None:
    """Without recorded replies, sound or not, every row ends somewhere with a reason, and none fails."""
    rows = {"prompt": TWO * 4, "chosen": ["Three", "Four"] * 4, "rejected": ["Four", "Three"] * 4}
    view = faked(name, rows, tmp_path, [], **faults)
    assert all(count.failed == 0 for count in view.funnel) and view.funnel[0].rows_in == 8
    for count in view.funnel:
        assert count.rows_in + count.made == count.rows_out + sum(count.dropped.values())
