"""Recipes that overwrite and rewrite run end to end on a fake model, and cost what their headers say."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image
from rather.models.encoders_text import StaticText
from rather.synth.topics_grouping import Grouping

from ..runs import run_text
from .faking import Script, calls, faked, recorded, stored, written

THINGS = ("red tower", "old bridge", "stone mill", "lake house")
PLACES, YEARS, HEIGHTS = ("Paris", "Rome", "Oslo"), ("1889", "1901", "1923"), ("330", "100", "75")


def claims(thing: str, k: int) -> list[str]:
    """Three claims of answer k about a thing: where it stands, of which year, how high it is."""
    return [
        f"The {thing} stands in {PLACES[k]}.",
        f"The {thing} was built in {YEARS[k]}.",
        f"The {thing} is {HEIGHTS[k]} metres high.",
    ]


def tower_script() -> Script:
    """Three answers a thing; the first is true throughout, and open questions are answered as claimed."""
    said: list[tuple[str | Sequence[str], str | Sequence[str]]] = []
    for thing in THINGS:
        said += [(f"# Answer {letter}\n{claims(thing, 0)[0]}", letter) for letter in ("A", "B")]
        for k in range(3):
            facts = claims(thing, k)
            numbered = "".join(f"{i}. {fact}\n" for i, fact in enumerate(facts, 1))
            said.append((f"# Text\n{' '.join(facts)}\n\nList", json.dumps({"items": facts})))
            for kind, begin in (("open questions", "What of"), ("only be answered", "Is it so")):
                asked = json.dumps({"items": [f"{begin}: {fact}" for fact in facts]})
                said.append(([kind, f"# Statements\n{numbered}"], asked))
            said += [(["plain statement", f"What of: {fact}"], fact) for fact in facts]
            said += [(f"Is it so: {fact}", "yes" if k == 0 else "no") for fact in facts]
        said.append((["# Edits", thing], " ".join(claims(thing, 1))))
        for kind, begin in (("same property", ""), ("ask for the same", "What of: ")):
            for topic in zip(*(claims(thing, k) for k in range(3)), strict=True):
                said += [([kind, f"1. {begin}{a}\n2. {begin}{b}"], "yes") for a in topic for b in topic if a != b]
        answers = [" ".join(claims(thing, k)) for k in range(3)]
        said.append(([f"Tell me of the {thing}."], [answers[k % 3] for k in range(10)]))
    return [*said, ("same property", "no")]


def png(k: int) -> bytes:
    """A small picture of one colour."""
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (40 * k, 90, 0)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("name", ["tpo", "tpo-vision"])
def test_topics_are_overwritten(tmp_path: Path, name: str) -> None:
    columns: dict[str, Any] = {"prompt": [f"Tell me of the {thing}." for thing in THINGS]}
    if name == "tpo-vision":
        columns["images"] = [[{"bytes": png(k), "path": None}] for k in range(len(THINGS))]
    view = faked(name, pa.table(columns), tmp_path, tower_script())
    rows = written(tmp_path)
    assert [row["chosen"] for row in rows] == [" ".join(claims(thing, 0)) for thing in THINGS]
    assert [row["rejected"] for row in rows] == [" ".join(claims(thing, 1)) for thing in THINGS]
    assert {(row["overwrite_fallback"], row["overwrite_up"], row["overwrite_down"]) for row in rows} == {(None, 0, 3)}
    told = len(THINGS) * (10 + 3 * 3 + 9 * 2 + 1 + 2)  # answers; lists, claims, one rewrite and both orders
    assert calls(view) == told + sum(questions(thing) for thing in THINGS), "three texts of ten are taken apart once"


def questions(thing: str) -> int:
    """Questions on pairs of claims of the three answers: 1 each of those alike, 1 more where both are of one topic."""
    texts = [(fact, topic) for k in range(3) for topic, fact in enumerate(claims(thing, k))]
    vectors = StaticText().encode([fact for fact, _ in texts]).astype(float)
    pairs = Grouping(0.4, 200, 0.9, 1.0).admitted([k // 3 for k in range(9)], vectors @ vectors.T)
    asked = {(texts[a], texts[b]) for a, b in pairs}
    return len(asked) + sum(a[1] == b[1] for a, b in asked)


TOWER = ("The red tower stands in Paris.", "The red tower stands in Rome.")
TWICE = """
name: twice
seed: 7
models:
  writer: {use: fake_chat, name: writer, script: SCRIPT}
  judge: {use: fake_chat, name: judge, script: SCRIPT}
stages:
  - read.rows: {path: ROWS}
  - synth.overwrite_topics: {alternatives: 0, least: 1, encoder: null}
  - synth.overwrite_topics: {alternatives: 0, least: 1, encoder: null, mode: max_one_claim}
    as: again
"""


def test_a_response_is_taken_apart_once_for_all_rows_and_stages(tmp_path: Path) -> None:
    """Two prompts with the same two answers, overwritten by two stages.

    For the first prompt 3 lists and 1 check an answer, 2 questions on the pair, 1 rewrite: 11. For the second
    the checks alone, which show the prompt: 2. The second stage asks nothing that was not asked before.
    """
    answers = [{"text": text} for text in TOWER]
    rows = {"prompt": ["Tell me of the red tower.", "Where is it?"], "candidates": [answers] * 2}
    script: list[tuple[str | list[str], str]] = []
    for text, said in zip(TOWER, ("yes", "no"), strict=True):
        lists = [(f"# Text\n{text}\n\nList", text), (["open questions", text], "Where?")]
        lists.append((["only be answered", text], f"Is it so: {text}"))
        script += [(mark, json.dumps({"items": [item]})) for mark, item in lists] + [(f"Is it so: {text}", said)]
    script += [("same property", "yes"), ("ask for the same", "yes"), ("# Edits", f"{TOWER[1]} Indeed.")]
    told = TWICE.replace("SCRIPT", recorded(tmp_path / "script.jsonl", script))
    view = run_text(told.replace("ROWS", str(stored(rows, tmp_path))), tmp_path / "run")
    assert view.frame("again").table(["overwrite_down"])["overwrite_down"].to_pylist() == [1, 1]
    assert calls(view) == 11 + 2


NOUNS = ("whale", "violin", "treaty", "omelette", "glacier", "senate", "comet", "harbour", "poem", "virus", "lantern")


def pairs(prompt: str = "Tell me about the {}.") -> pa.Table:
    """A right and a wrong answer on each of eleven unlike things."""
    return pa.table(
        {
            "prompt": [prompt.format(noun) for noun in NOUNS],
            "chosen": [f"The {noun} is well known, and {k} of them are in the book." for k, noun in enumerate(NOUNS)],
            "rejected": [f"The {noun} is hardly known, and none of them are in a book." for noun in NOUNS],
        }
    )


def crome_script() -> Script:
    """One attribute a prompt; chosen answers are strong in it, rejected ones weak; every edit is carried out.

    Who compares holds a degraded answer (red) worse than well known, an upgraded one (old) better than hardly known.
    """
    lists = json.dumps({"items": [{"name": "correctness", "meaning": "It is right about the thing."}]})
    said: list[tuple[str | Sequence[str], str | Sequence[str]]] = []
    for noun in NOUNS:
        worse, better = (
            f"The {noun} is {how}, and {n} of them are in the book." for how, n in (("red", 9), ("old", 1))
        )
        said += [(["Attribute to make worse", noun], worse), (["Attribute to make better", noun], better)]
        better_ones = (f"The {noun} is {how}" for how in ("well known", "old"))
        said += [(f"# Answer {letter}\n{begin}", letter) for begin in better_ones for letter in ("A", "B")]
    said += [(["weak or strong", "well known"], "strong"), (["weak or strong", "hardly known"], "weak")]
    return [*said, ("Was the order", "yes"), ("ist the attributes", lists), ("final list", lists)]


def test_crome_keeps_originals_causal_pairs_and_ties(tmp_path: Path) -> None:
    view = faked("crome", pairs(), tmp_path, crome_script())
    rows = written(tmp_path)
    kinds = [row["augmentation"] for row in rows]
    assert kinds.count("original") == len(NOUNS)
    made = view.frame("synth.irrelevant_query").table(["augmentation", "verdict"]).to_pylist()
    assert sum(row["augmentation"] == "causal" for row in made) == 2 * len(NOUNS)
    assert all((row["verdict"] == "tie") == (row["augmentation"] == "neutral") for row in made)
    assert "neutral" in {row["augmentation"] for row in made}
    causal = [row for row in rows if row["augmentation"] == "causal"]
    assert causal and {(row["direction"], row["base_side"]) for row in causal} <= {
        ("degrade", "chosen"),
        ("upgrade", "rejected"),
    }
    dropped = {count.stage: count.dropped for count in view.funnel}["filter.rm_uncertain"]
    assert len(rows) + sum(dropped.values()) == len(made)
    assert {row["confirmed_p"] for row in causal} == {1.0}
    assert {row["confirmed_p"] for row in rows if row["augmentation"] != "causal"} == {None}, "not a made preference"
    assert calls(view) == 8 * len(NOUNS) + 2 * len(causal)


@pytest.mark.parametrize("name", ["tpo", "crome", "llmbar-neighbor", "claif", "counterfactual-swap"])
def test_poor_replies_drop_rows_and_never_fail_them(tmp_path: Path, name: str) -> None:
    """A third of all replies says nothing to the point, declines or is cut off; whoever goes, the ledger says why."""
    rows = pa.concat_tables([pairs(), pairs("Speak of the {}."), pairs("What is a {}?")])
    script = {"tpo": tower_script, "crome": crome_script}.get(name, list)()
    view = faked(name, rows, tmp_path, script, unparsable=0.15, refused=0.1, truncated=0.1)
    assert calls(view) > len(rows)
    assert all(count.rows_in + count.made - sum(count.dropped.values()) == count.rows_out for count in view.funnel)
    reasons = {reason for count in view.funnel for reason in count.dropped}
    assert all(len(reason) < 60 for reason in reasons)
    assert reasons or name in ("claif", "counterfactual-swap"), "whose rows keep what needs no model"


def test_claims_share_a_topic_only_where_they_look_at_one_place(tmp_path: Path) -> None:
    """A picture of one colour draws no claim anywhere: with maps there is no topic, and whole answers stand."""
    columns = {"prompt": [f"Tell me of the {thing}." for thing in THINGS]}
    columns["images"] = [[{"bytes": png(k), "path": None}] for k in range(len(THINGS))]
    mapped = "synth.overwrite_topics.relevance=fake_image_text"
    view = faked("tpo-vision", pa.table(columns), tmp_path, tower_script(), mapped)
    assert {row["overwrite_fallback"] for row in written(tmp_path)} == {"no answer qualifies"}
    assert calls(view) == len(THINGS) * (10 + 3 * 3 + 9 * 2 + 2)
