"""Three real rows a method, one for each way it can go: kept, left out in part, dropped; the rows in full."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.synth.reference_feedback import ReferenceFeedback
from rather.synth.refine import Refine
from rather.synth.rubric import Rubric
from rather.synth.summaries import Summaries

from .scripted import REFUSAL, opened, ran, real_pairs, row_of, signed
from .test_refine import DRAWN, heeding
from .test_rubric import PRIME, SHORT, WRITING, judge, said
from .test_summaries import entries

NEW = ["Describe how bread rises to a baker's apprentice.", "Compare two ways of storing wind power for a town hall."]
CUT = Reply("It is a", "length")


BETTER = ["Yeast makes gas, and gas lifts the dough.", "Pumped water stores more than batteries do."]
POORER = ["By yeast.", "There are many ways."]


def by_reference(data: Path, k: int, draft: str, feedback: str | Reply) -> tuple[Any, Any, dict[str, Any]]:
    """What two new prompts by seed k come to, the model, and the seed; `draft` answers the first of them."""
    seed = real_pairs(data, "dpo_demo_en.jsonl")[k]
    script = [
        ("What makes this prompt valuable", "Names its reader."),
        ("What makes this answer good", feedback),
        ("new prompts with the same qualities", json.dumps({"items": NEW})),
        *((["The revised answer:", prompt], better) for prompt, better in zip(NEW, BETTER, strict=True)),
        (NEW[0], draft), (NEW[1], POORER[1]),
    ]  # fmt: skip
    return *ran(ReferenceFeedback(new=2), seed, script), seed


def test_refed(data: Path) -> None:
    """Both pairs sound; one draft refused."""
    for k, draft in enumerate((POORER[0], REFUSAL)):
        found, _, seed = by_reference(data, k, draft, "Plain words.")
        shared = {
            "verdict": "prefer", "seed_id": "row0", "seed_prompt": seed["prompt"][0]["content"],
            "seed_answer": seed["chosen"]["text"], "prompt_feedback": "Names its reader.",
            "answer_feedback": "Plain words.", "seed_repeats": 0, "seed_failures": k,
        }  # fmt: skip
        name, at = "synth.reference_feedback", {"seed_id": "row0"}
        assert [opened(row) for row in found] == [
            shared | {
                "prompt": [{"role": "user", "content": prompt, "parts": None, "tool_calls": None}],
                "chosen": signed(better, name, "refine", at | {"step": 2}, None),
                "rejected": signed(worse, name, "draft", at | {"step": 1}, None),
            }
            for prompt, better, worse in list(zip(NEW, BETTER, POORER, strict=True))[k:]
        ]  # fmt: skip


def test_refed_without_feedback(data: Path) -> None:
    """Feedback on the answer is cut off: nothing more is paid for."""
    found, model, _ = by_reference(data, 2, POORER[0], CUT)
    assert found == Drop("answer_feedback: truncated", {"reply": "nothing was said"})
    assert not any("new prompts with" in text for text in model.asked)


def test_crg(data: Path) -> None:
    """A rubric that leads to the label, one that leads away from it, one that cannot be read."""
    for k, row in enumerate(real_pairs(data, "llmbar.jsonl")):
        better, worse = row["chosen"]["text"][:20], row["rejected"]["text"][:20]
        written = "Both are fine." if k == 2 else said(SHORT, PRIME)
        script = [(WRITING, written), *judge(better if k == 0 else worse)]
        lines = [
            {"id": "h1", "criterion": SHORT["criterion"], "weight": None, "kind": "hard_rule"},
            {"id": "p2", "criterion": PRIME["criterion"], "weight": None, "kind": "principle"},
        ]
        fault = [None, "inconsistent", "unparsable"][k]
        [made], model = ran(Rubric(inconsistent="keep", max_tries=3), row, script)
        tries = 3 if k else 1
        origin = signed("", "synth.rubric", "contrast", {"try": tries}, 6 + tries)["made_by"]
        assert opened(made) == {
            "rubric": None if k else lines, "failed_rubric": lines if k == 1 else None, "n_tries": tries,
            "consistency": ["pass", "fail", "parse_error"][k], "rubric_fault": fault, "made_by": origin,
        }  # fmt: skip
        assert any("by the criteria you are given" in text for text in model.asked) == (k < 2)


def test_ilf(data: Path) -> None:
    """The first of two heeds the feedback better; the second does; none is sound."""
    for k, row in enumerate(real_pairs(data, "llmbar.jsonl")):
        row |= {"critique": {"text": "It does not do what was asked."}}
        better, other = row["chosen"]["text"].strip(), "Here, another attempt."
        drawn = [[better, other], [better, other], [REFUSAL, row["rejected"]["text"]]][k]
        chances = {f"\n{better[:40]}": 0.25 if k else 0.75, other: 0.75 if k else 0.25}
        script = [*heeding(chances), (DRAWN, drawn * 4)]
        found, _ = ran(Refine(samples=2, answer="rejected", retries=2), row, script)
        if k == 2:
            assert found == Drop("no sound refinement", {"drawn": 4})
            continue
        params = {
            "select": "instruct_rm", "score": pytest.approx(0.75), "samples": 2, "temperature": 1.0, "top_p": 0.95,
            "feedback": "critique",
        }  # fmt: skip
        assert [opened(one) for one in found] == [{
            "chosen": signed(other if k else better, "synth.refine", "refinement", params, 7 + k),
            "rejected": row["rejected"], "verdict": "prefer", "refinement_score": pytest.approx(0.75),
            "n_refinements": 2, "n_verified": None, "feedback_quoted": 0,
        }]  # fmt: skip


FACTS = [
    "Arthur's Magazine was published in Philadelphia.", "It appeared from 1844 to 1846.",
    "Bauer Media Group publishes First for Women.",
]  # fmt: skip
GOOD = ["Arthur's Magazine came out in Philadelphia from 1844 to 1846.", "First for Women is by Bauer Media Group."]
POOR = ["Arthur's Magazine came out in Boston.", "It appeared until 1846."]


def summarised(data: Path, k: int, **said: Any) -> tuple[Any, Any]:
    """What three summaries of document k come to, the last one refused; who checks finds fault with the poor one."""
    with (data / "preferences" / "halueval_qa.jsonl").open(encoding="utf-8") as lines:
        document = json.loads(next(islice(lines, k, None)))["extra"]["knowledge"]
    script = [
        ("You extract the key facts", said.get("facts", json.dumps({"items": FACTS}))),
        (["You check a summary", GOOD[0]], said.get("checked", entries(error=["none", "none"]))),
        (["You check a summary", POOR[0]], entries(error=["wrong_fact", "none"])),
        (["You align key facts", GOOD[0]], entries(sentences=[[1], [1], [2]])),
        (["You align key facts", POOR[0]], entries(sentences=[[], [2], []])),
        ("Summarize the following", [" ".join(GOOD), said.get("second", " ".join(POOR)), REFUSAL]),
    ]
    return ran(Summaries(samples=3), row_of(document), script)


def side(name: str, sentences: list[str], seed: int, *shares: float) -> dict[str, Any]:
    names = ("faithfulness", "completeness", "conciseness", "composite")
    told = {f"{name}_{share}": pytest.approx(value) for share, value in zip(names, shares, strict=True)}
    return told | {name: signed(" ".join(sentences), "synth.summaries", "summarize", {"writer": "writer"}, seed)}


def checked(*rows: tuple[str, str | None, list[int]]) -> list[dict[str, Any]]:
    return [{"text": text, "faithful": not error, "error": error, "facts": facts} for text, error, facts in rows]


def test_feedsum(data: Path) -> None:
    """The good summary against the poor one; the third was refused.

    The good one is right in 2 of 2 sentences, carries 3 of 3 facts in 2 of 2: 1. The poor one is right in 1 of
    2, carries 1 of 3 in 1 of 2: (1/2 + 1/3 + 1/2) / 3 = 4/9, so that the lead is 5/9.
    """
    [made], model = summarised(data, 0)
    prompt = made.pop("prompt")
    assert prompt[0]["content"].startswith(
        "Summarize the following text in a few sentences.\n\nArthur's Magazine (1844"
    )
    assert opened(made) == {
        "verdict": "prefer", "margin": pytest.approx(5 / 9), "key_facts": FACTS, "summaries_failed": 1,
        **side("chosen", GOOD, 7, 1, 1, 1, 1), **side("rejected", POOR, 8, 1 / 2, 1 / 3, 1 / 2, 4 / 9),
        "chosen_sentences": checked((GOOD[0], None, [0, 1]), (GOOD[1], None, [2])),
        "rejected_sentences": checked((POOR[0], "wrong_fact", []), (POOR[1], None, [1])),
    }  # fmt: skip
    assert len(model.asked) == 1 + 3 + 2 * 2, "what was refused is not checked"


def test_feedsum_without_a_pair(data: Path) -> None:
    """No key facts, asked for twice; one summary with a sound check; two as good as each other."""
    found, model = summarised(data, 1, facts="There are none.")
    assert found == Drop("key_facts: unparsable", {"reply": "There are none."}) and len(model.asked) == 2
    found, _ = summarised(data, 2, checked=entries(error=["none"]))
    assert found == Drop("fewer than two checked summaries", {"summaries": 1})
    found, _ = summarised(data, 0, second=" ".join(GOOD))
    assert found == Drop("no summary good and far enough ahead", {"best": 1.0, "worst": 1.0})
