"""Answers refined by feedback: drawing, selecting, verifying; programs are run."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from rather.core.errors import CallError
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.models.encoders_text import StaticSpec
from rather.synth.refine import Refine
from rather.synth.refine_select import WORDINGS
from rather.synth.sandbox import sandbox_fault

from ..judges import with_chances
from .scripted import Script, ran, row_of, texts

ROW = row_of("Summarise: it rained all day in Bath.", chosen="Weather.", critique={"text": "Say where it was."})
DRAWN = "Write an answer to the prompt that heeds"
ASKED = ["does the new text incorporate", "Does the new text incorporate", "taken up this", "True or False", "True or"]


def heeding(chances: dict[str, float]) -> Script:
    """Replies to the five questions: for each refinement the chance of the affirmative word."""
    script: list[Any] = []
    for (text, p), asked in product(chances.items(), ("Yes or No", "True")):
        yes, no = ("Yes", "No") if asked == "Yes or No" else ("True", "False")
        script.append(([text, asked], with_chances(yes if p > 0.5 else no, {yes: p, no: 1 - p})))
    return script


def test_the_row_in_full() -> None:
    refinements = ["Rain in Bath.", "Rain, somewhere.", "Bath had rain all day."]
    script = [*heeding(dict(zip(refinements, (0.9, 0.2, 0.95), strict=True))), (DRAWN, refinements)]
    stage = Refine(samples=3)
    [found], model = ran(stage, ROW, script)
    assert texts(found) == {
        "chosen": "Bath had rain all day.", "rejected": "Weather.", "verdict": "prefer",
        "refinement_score": pytest.approx(0.95), "n_refinements": 3, "n_verified": None, "feedback_quoted": 0,
    }  # fmt: skip
    origin = found["chosen"]["made_by"]
    assert (origin["method"], origin["model"], origin["seed"]) == ("refinement", "scripted", 9)
    assert '"select":"instruct_rm"' in origin["params"] and '"feedback":"critique"' in origin["params"]
    assert len(model.asked) == 3 + 5 * 3 == stage.calls_a_row() - stage.retries


def test_the_order_of_a_refinement_prompt() -> None:
    """Source, first answer, feedback, then the slot for the new answer."""
    _, model = ran(Refine(samples=1, select="random"), ROW, [(DRAWN, "Rain in Bath.")])
    [text] = model.asked
    places = [text.index(part) for part in ("it rained all day", "Weather.", "Say where it was.", "new answer alone")]
    assert places == sorted(places)


def test_five_wordings_two_of_them_with_true_and_false() -> None:
    _, model = ran(Refine(samples=1), ROW, [*heeding({"Rain in Bath.": 0.9}), (DRAWN, "Rain in Bath.")])
    asked = model.asked[1:]
    assert len(asked) == len(set(asked)) == 5 == len(WORDINGS)
    assert sum("Answer Yes or No" in text for text in asked) == 3 and sum("True" in text for text in asked) == 2
    assert sum(text.count("Say where it was.") == 2 for text in asked) == 1, "one repeats the feedback"
    assert sum(text.lower().count("new text incorporate the feedback?") == 2 for text in asked) <= 1


def test_pitfall_a_yes_with_a_space_before_it_is_a_yes() -> None:
    """The score is the mean over wordings: p = 0.9, 0.8, 0.7 for yes and 0.6, 0.5 for true: their mean is 0.7."""
    chances = [("Once more", "Yes", 0.8), ("taken up", "Yes", 0.7), ("with one word", "True", 0.6),
               ("Is this statement", "True", 0.5), ("Answer Yes or No", "Yes", 0.9)]  # fmt: skip
    script: list[Any] = [(DRAWN, "Rain in Bath.")]
    for part, yes, p in chances:
        no = {"Yes": "No", "True": "False"}[yes]
        script.append((part, with_chances(f" {yes}", {f" {yes}": p / 2, yes: p / 2, no: 1 - p})))
    [found], _ = ran(Refine(samples=1), ROW, script)
    assert found["refinement_score"] == pytest.approx(0.7)


def test_without_chances_the_words_count() -> None:
    answers = [("Once more", "No"), ("Is this statement", "False"), ("True or False", "True."), ("Yes", "Yes")]
    script = [(DRAWN, "Rain in Bath."), *answers]
    [found], _ = ran(Refine(samples=1), ROW, script)
    assert found["refinement_score"] == pytest.approx(3 / 5)


def test_most_wordings_must_be_answered() -> None:
    script = [(DRAWN, "Rain in Bath."), ("True", "Perhaps."), ("Once more", "Perhaps."), ("Yes", "Yes")]
    found, _ = ran(Refine(samples=1), ROW, script)
    assert found == Drop("no refinement could be rated", {"refinements": 1})
    [kept], _ = ran(Refine(samples=1), ROW, [*script[:1], ("True", "Perhaps."), ("Yes", "Yes")])
    assert kept["refinement_score"] == 1.0


def test_unsound_refinements_are_drawn_anew() -> None:
    """Empty, cut off, unchanged and forbidden ones make room for others, up to the cap; repeats count once."""
    replies = [
        "weather",
        Reply("Rain i", "length"),
        "I'm sorry, I can't.",
        "As an AI, rain.",
        "Rain.",
        "Rain.",
        "Wet Bath.",
    ]
    stage = Refine(samples=4, retries=3, select="random", forbidden=("as an ai",))
    [found], model = ran(stage, ROW, [(DRAWN, replies)])
    assert found["chosen"]["text"] in ("Rain.", "Wet Bath.") and found["n_refinements"] == 2
    assert len({text for text in model.asked}) == 1 and len(model.asked) == 7 + 1, "the cut one was asked twice"
    none, _ = ran(Refine(samples=1, retries=1, select="random"), ROW, [(DRAWN, "WEATHER!")])
    assert none == Drop("no sound refinement", {"drawn": 2})


def test_pitfall_likeness_by_embedding_favours_what_quotes_the_feedback() -> None:
    encoder = StaticSpec().load()
    drawn = ["Say where it was: Bath.", "Cats sleep a lot."]
    [found], model = ran(Refine(samples=2, select="embedding", encoder="static"), ROW, [(DRAWN, drawn)], static=encoder)
    vectors = encoder.encode(["Say where it was.", drawn[0]])
    assert found["chosen"]["text"] == drawn[0] and len(model.asked) == 2
    assert found["refinement_score"] == pytest.approx(float(np.dot(*vectors)), abs=1e-6)
    assert found["feedback_quoted"] == 4, "likeness to the feedback favours what quotes it: the column shows it"


class Likely:
    """Finds a talk as probable as its last word is short: minus its length, in two tokens."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def logprobs(self, prompts: Any, answers: Any) -> tuple[np.ndarray, np.ndarray]:
        texts = [(p[-1]["content"], a[-1]["content"]) for p, a in zip(prompts, answers, strict=True)]
        self.asked += texts
        whole = [
            np.nan if "too long" in "".join(text) else -len(text[0].split("# New text")[-1] + text[1]) for text in texts
        ]
        return np.array(whole, float), np.full(len(texts), 2.0)


@pytest.mark.parametrize("of", ["feedback", "refinement"])
def test_the_likeliest_both_ways(of: str) -> None:
    scorer, drawn = Likely(), ["It rained a great deal there.", "Rain in Bath.", "This is too long."]
    stage = Refine(samples=3, select=f"{of}_likelihood", scorer="lm")
    [found], model = ran(stage, ROW, [(DRAWN, drawn)], lm=scorer)
    assert found["chosen"]["text"] == "Rain in Bath." and found["refinement_score"] < 0 and len(model.asked) == 3
    prompt, answer = scorer.asked[1]
    if of == "feedback":
        assert answer == "Say where it was." and "Rain in Bath." in prompt and "Say where" not in prompt
    else:
        assert answer == "Rain in Bath." and "Say where it was." in prompt and "Rain in Bath." not in prompt
    none, _ = ran(stage, ROW, [(DRAWN, drawn[2])], lm=scorer)
    assert none == Drop("no refinement could be rated", {"refinements": 1})
    assert "needs a scorer" in Refine(select=f"{of}_likelihood").faults()[0]


def test_the_control_never_sees_the_feedback() -> None:
    stage = Refine(samples=1, control=True, select="random")
    [found], model = ran(stage, {k: v for k, v in ROW.items() if k != "critique"}, [("better than the one", "Rain.")])
    assert found["chosen"]["made_by"]["method"] == "control" and found["feedback_quoted"] is None
    assert "eedback" not in model.asked[0] and stage.faults() == []
    assert "needs feedback" in Refine(control=True).faults()[0]


def test_faults_and_reasons() -> None:
    assert Refine(select="embedding").faults() == [
        "select: embedding needs an encoder; encoder: static is always there"
    ]
    assert Refine(prompts="refined").faults()
    assert ran(Refine(), ROW | {"critique": {"text": " "}}, [])[0] == Drop("no feedback")
    assert ran(Refine(answer="rejected"), ROW | {"rejected": None}, [])[0] == Drop("no rejected answer")
    with pytest.raises(CallError, match="down"):
        ran(Refine(samples=1), ROW, [(DRAWN, CallError("down"))])


def test_feedback_may_be_a_column_of_text() -> None:
    row = ROW | {"note": "Name the town."}
    _, model = ran(Refine(samples=1, select="random", feedback="note"), row, [(DRAWN, "Rain in Bath.")])
    assert "Name the town." in model.asked[0] and "Say where" not in model.asked[0]


CODE = row_of(
    "Write f(x), the square of x.", rejected="def f(x):\n    return x + x", critique={"text": "It adds."},
    tests="assert f(3) == 9\nassert f(-2) == 4",
)  # fmt: skip
PROGRAMS = [
    "```python\ndef f(x):\n    return x * x\n```", "```python\ndef f(x):\n    return x ** 2\n```",
    "```python\ndef f(x):\n    return x ** 3\n```", "```python\ndef f(x):\n    return x * x\n```",
]  # fmt: skip
TESTED = Refine(
    samples=4, temperature=0.8, answer="rejected", select="random", part="code",
    verifier={"by": "tests", "seconds": 2}, reference="tests",
)  # fmt: skip


@pytest.mark.skipif(sandbox_fault() is not None, reason="programs cannot be shut in on this machine")
def test_of_programs_one_that_passes_is_kept() -> None:
    [found], model = ran(TESTED, CODE, [("# Old code", PROGRAMS)])
    assert found["chosen"]["text"] in PROGRAMS[:2] and found["rejected"] == CODE["rejected"]
    assert (found["n_refinements"], found["n_verified"], found["refinement_score"]) == (3, 2, None)
    assert len(model.asked) == 4
    assert [model.asked[0].index(part) for part in ("# Old code", "# Feedback", "# Task")] == sorted(
        model.asked[0].index(part) for part in ("# Old code", "# Feedback", "# Task")
    )


def test_a_program_is_changed_by_a_sign() -> None:
    """What words alone would not show: of programs only space does not count."""
    stage = Refine(samples=2, retries=0, answer="rejected", select="random", part="code")
    [found], _ = ran(stage, CODE, [("# Old code", ["def f(x):\n  return x  + x", "def f(x):\n    return x * x"])])
    assert found["chosen"]["text"] == "def f(x):\n    return x * x" and found["n_refinements"] == 1


@pytest.mark.skipif(sandbox_fault() is not None, reason="programs cannot be shut in on this machine")
def test_programs_that_fail_and_programs_that_passed_before() -> None:
    """Pitfall: a row marked as passing may speak of the first program: it is run before anything is asked."""
    none, _ = ran(TESTED, CODE, [("# Old code", PROGRAMS[2:3] * 9)])
    assert none.reason == "no refinement is right" and "failed: AssertionError" in none.values["why"]
    right, model = ran(TESTED, CODE | {"rejected": {"text": PROGRAMS[0]}}, [])
    assert right == Drop("the answer is right already") and model.asked == []
    assert ran(TESTED, CODE | {"tests": None}, [])[0] == Drop("no reference")
