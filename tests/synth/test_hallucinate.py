"""Plausible wrong answers, the more believable kept; errors tried as one's own and as another's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rather.core.errors import CallError
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.synth.hallucinate import PATTERNS, Hallucinate
from rather.synth.self_correction import SelfCorrection

from .scripted import Scripted, ran, row_of

ROW = row_of("Who named Milhouse?", chosen="Matt Groening", knowledge="Matt Groening named him.")
PICK = "Which is the most believable?"


def test_the_row_in_full() -> None:
    letter = shown_as("Al Jean", ("Al Jean", "Sam Simon"))
    [found], model = ran(Hallucinate(), ROW, [(PICK, letter), ("Right answer", ["Al Jean", "Sam Simon"])])
    pattern = found["hallucination"]
    origin = {"stage": "synth.hallucinate", "method": pattern, "model": "scripted", "seed": 7}
    origin["params"] = '{"margin":null,"of":2,"strength":"clear"}'
    assert found == {
        "verdict": "prefer", "hallucination": pattern, "n_hallucinations": 2, "judged_margin": None,
        "rejected": {"text": "Al Jean", "turns": None, "image": None, "model": "scripted", "made_by": origin},
    }  # fmt: skip
    assert PATTERNS[pattern] in model.asked[0] and len(model.asked) == 3 == Hallucinate().calls_a_row()
    assert all("Matt Groening named him." in text for text in model.asked)
    assert "Right answer" not in model.asked[2], "the choice is made without the right answer"


def shown_as(text: str, both: tuple[str, str]) -> str:
    """The letter a wrong answer stands under when it is chosen among."""
    _, model = ran(Hallucinate(), ROW, [(PICK, "A"), ("Right answer", list(both))])
    [asked] = [a for a in model.asked if PICK in a]
    return "A" if f"# A\n{text}" in asked else "B"


def test_patterns_do_not_come_again_before_all_have_come() -> None:
    _, model = ran(Hallucinate(samples=4), ROW, [(PICK, "A"), ("Right answer", ["a b", "b c", "c d", "d e"])])
    assert sorted(m for text in model.asked[:4] for m in PATTERNS.values() if m in text) == sorted(PATTERNS.values())
    _, one = ran(Hallucinate(samples=2, patterns=("inference",)), ROW, [(PICK, "A"), ("Right answer", ["a", "b"])])
    assert all(PATTERNS["inference"] in text for text in one.asked[:2])


@pytest.mark.parametrize(
    "poor",
    [
        "matt groening!",
        "He was named by somebody whom nobody remembers any more, it seems",
        Reply("Al J", "length"),
        "I'm sorry, I can't write false answers.",
        Reply("", "stop"),
    ],
)
def test_poor_ones_are_left_out(poor: Any) -> None:
    """Pitfall: a wrong answer much longer than the right one is told by its length alone."""
    [found], model = ran(Hallucinate(), ROW, [("Right answer", [poor, "Al Jean"])])
    assert found["rejected"]["text"] == "Al Jean" and found["n_hallucinations"] == 1
    assert not any(PICK in text for text in model.asked)
    none, _ = ran(Hallucinate(samples=1), ROW, [("Right answer", poor)])
    assert none == Drop("no sound wrong answer", {"asked": 1})


def test_length_may_be_free_and_equal_ones_count_once() -> None:
    long = "He was named by somebody whom nobody remembers any more, it seems"
    [found], model = ran(Hallucinate(longer=None), ROW, [("Right answer", long)])
    assert found["rejected"]["text"] == long and found["n_hallucinations"] == 1
    assert "at most" not in model.asked[0]
    _, bounded = ran(Hallucinate(), ROW, [("Right answer", "Al Jean")])
    assert "at most 7 words" in bounded.asked[0]


def test_a_choice_that_is_none_drops_the_row() -> None:
    found, _ = ran(Hallucinate(), ROW, [(PICK, "neither, really"), ("Right answer", ["Al Jean", "Sam Simon"])])
    assert found.reason == "choose: unparsable"
    judge = Scripted([(PICK, "A")], "judge")
    _, writer = ran(Hallucinate(judge="judge"), ROW, [("Right answer", ["Al Jean", "Sam Simon"])], judge=judge)
    assert len(judge.asked) == 1 and len(writer.asked) == 2
    assert Hallucinate(prompts="halucinate").faults()


def test_a_target_margin_asks_for_grosser_ones() -> None:
    """The right answer is rated 9; a subtle wrong one 8, too near; a clear one 4, which fits."""
    stage = Hallucinate(target_margin=(4, 6), strength="subtle", judge="judge")
    ratings = [("# Answer\nMatt Groening", "9"), ("# Answer\nMatt Selman", "8"), ("# Answer\nAl Jean", "4")]
    judge = Scripted(ratings, "judge")
    script = [("Hardly", "Matt Selman"), ("Clearly", ["none", "Al Jean"])]
    [found], writer = ran(stage, ROW, script, judge=judge)
    assert found["rejected"]["text"] == "Al Jean" and found["judged_margin"] == 5.0
    assert found["rejected"]["made_by"]["params"] == '{"margin":5.0,"of":2,"strength":"clear"}'
    assert found["rejected"]["made_by"]["seed"] == 8
    assert len(writer.asked) + len(judge.asked) == 5 <= stage.calls_a_row() == 7
    far, _ = ran(Hallucinate(target_margin=(8, 9), judge="judge", tries=1), ROW, [("Clearly", "Al Jean")], judge=judge)
    assert far == Drop("margin out of reach", {"margin": 5.0, "strength": "clear"})
    late = [("Clearly", ["matt groening", "Al Jean"])]
    [second], _ = ran(Hallucinate(target_margin=(4, 6), judge="judge", tries=2), ROW, late, judge=judge)
    assert second["rejected"]["text"] == "Al Jean" and second["rejected"]["made_by"]["seed"] == 8
    poor, _ = ran(Hallucinate(target_margin=(4, 6), judge="judge"), ROW, [("Clearly", "matt groening")], judge=judge)
    assert poor == Drop("no sound wrong answer", {"asked": 3})


def test_a_target_margin_needs_a_judge_and_an_order() -> None:
    assert "needs a judge" in Hallucinate(target_margin=(1, 2)).faults()[0]
    assert "smaller margin first" in Hallucinate(target_margin=(2, 1), judge="judge").faults()[0]
    assert Hallucinate().faults() == [] and len(Hallucinate(target_margin=(1, 2)).materials()) == 2


def test_real_questions_with_knowledge(data: Path) -> None:
    lines = (data / "preferences" / "halueval_qa.jsonl").read_text(encoding="utf-8").splitlines()[:3]
    for line in map(json.loads, lines):
        row = row_of(line["prompt"], chosen=line["chosen"], knowledge=line["extra"]["knowledge"])
        [found], model = ran(Hallucinate(samples=1, longer=None), row, [("Right answer", line["rejected"])])
        assert found["rejected"]["text"] == line["rejected"] and line["extra"]["knowledge"] in model.asked[0]


FLAWED = row_of("6 times 7?", flawed="6 times 7 is 43.", reference="42")


def test_both_settings_show_the_same_text() -> None:
    class Heard:
        name, requests = "heard", list[Any]()

        async def ask(self, request: Any, attempt: int = 0) -> Reply:
            self.requests.append(request)
            own = request["messages"][-1]["role"] == "assistant"
            return Reply("#### 43" if own else "No, 6 times 7 is 42.\n#### 42")

    [found], _ = ran(SelfCorrection(verifier="number"), FLAWED, [], writer=Heard())
    assert found == {
        "corrected_own": False, "corrected_theirs": True, "own_ending": "#### 43",
        "theirs_ending": "No, 6 times 7 is 42.\n#### 42",
    }  # fmt: skip
    own, theirs = sorted((r["messages"] for r in Heard.requests), key=len, reverse=True)
    assert own == [{"role": "user", "content": "6 times 7?"}, {"role": "assistant", "content": "6 times 7 is 43."}]
    assert theirs[-1]["role"] == "user" and "6 times 7 is 43." in theirs[-1]["content"]


def test_a_marker_and_a_model_that_continues() -> None:
    prefilled = Scripted([("Wait", "it is 42.")], "prefilled")
    stage = SelfCorrection(verifier="number", prefilled="prefilled", marker="Wait")
    [found], writer = ran(stage, FLAWED, [("somebody began", "I can't tell")], prefilled=prefilled)
    assert found["corrected_own"] is True and found["own_ending"] == "it is 42."
    assert found["corrected_theirs"] is None and found["theirs_ending"] is None, "a refusal is no wrong answer"
    assert len(prefilled.asked) + len(writer.asked) == 2 == stage.calls_a_row()


def test_reasons_of_trials() -> None:
    assert ran(SelfCorrection(), FLAWED | {"flawed": " "}, [])[0] == Drop("no flawed beginning")
    assert ran(SelfCorrection(), FLAWED | {"reference": None}, [])[0] == Drop("no reference")
    with pytest.raises(CallError, match="down"):
        ran(SelfCorrection(), FLAWED, [("6 times", CallError("down"))])
