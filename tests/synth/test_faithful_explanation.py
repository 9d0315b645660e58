"""SR-NLE: words that flip an answer, explanations refined by feedback, and how many leave the word out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from rather.core.errors import InputError
from rather.core.stage import Drop
from rather.filters.diagnose_counterfactual_unfaithfulness import CounterfactualUnfaithfulness
from rather.models.critiques import mentions
from rather.synth.counterfactual_word import CounterfactualWord, changed_texts
from rather.synth.faithful_explanation import FaithfulExplanation

from ..frames import SinkContext, TableFrame
from .scripted import Script, ran, real_pairs, row_of

QUESTION = "Can a bird fly? Answer yes or no."
ROW = row_of(QUESTION)
PROPOSE = "Propose 4 single words"


def insertions(*pairs: tuple[str, str]) -> str:
    return json.dumps({"insertions": [{"word": word, "before": before} for word, before in pairs]})


def flips(*pairs: tuple[str, str]) -> Script:
    return [(PROPOSE, insertions(*pairs)), ("a flightless bird", "No."), ("a bird", "Yes."), ("a small bird", "Yes.")]


def test_a_word_that_flips_the_answer() -> None:
    stage = CounterfactualWord(choices=("yes", "no"))
    [row], model = ran(stage, ROW, flips(("small", "bird"), ("flightless", "bird")))
    assert row["inserted_word"] == "flightless" and row["flipped_from"] == "yes"
    assert row["prompt"] == [{"role": "user", "content": "Can a flightless bird fly? Answer yes or no."}]
    assert row["chosen"]["text"] == "no" and row["chosen"]["made_by"]["params"] == '{"word":"flightless"}'
    assert len(model.asked) == 4 <= stage.calls_a_row()


def test_free_answers_are_compared_by_their_result() -> None:
    script: Script = [
        (PROPOSE, insertions(("red", "apples"), ("rotten", "apples"))), ("3 red apples", "So there are 3"),
        ("3 rotten apples", "The answer is: 0"), ("3 apples", "That is 3.0"),
    ]  # fmt: skip
    [row], _ = ran(CounterfactualWord(), row_of("How many of 3 apples?"), script)
    assert row["inserted_word"] == "rotten" and row["flipped_from"] == "That is 3.0"


def test_words_that_do_not_flip_or_do_not_fit() -> None:
    stage = CounterfactualWord(choices=("yes", "no"))
    assert ran(stage, ROW, flips(("small", "bird")))[0] == Drop("no word flips the answer", {"tried": 1})
    assert ran(stage, ROW, flips(("small", "cat"), ("bird", "fly"), ("two words", "fly")))[0] == Drop("no word fits in")
    mute, _ = ran(stage, ROW, [(PROPOSE, "small before bird"), ("a bird", "Yes.")])
    assert isinstance(mute, Drop) and mute.reason == "propose: unparsable"
    unsure, _ = ran(stage, ROW, [(PROPOSE, insertions(("small", "bird"))), ("a bird", "It depends.")])
    assert isinstance(unsure, Drop) and unsure.reason == "answer: unparsable"


def test_only_the_last_message_changes() -> None:
    turns = [{"role": r, "content": t} for r, t in (("user", "A bird."), ("assistant", "Yes?"), ("user", QUESTION))]
    [row], model = ran(
        CounterfactualWord(choices=("yes", "no")), {"id": "r", "prompt": turns}, flips(("flightless", "bird"))
    )
    assert row["prompt"][:2] == turns[:2] and "flightless" in row["prompt"][2]["content"]
    assert "A bird.\n\nYes?\n\nCan a" in model.asked[0]


def test_where_a_word_goes() -> None:
    assert changed_texts("Birds fly, bird!", [("big", "bird"), ("a-b", "fly"), ("x1", "fly"), ("Bird", "fly")]) == [
        ("big", "Birds fly, big bird!"),
        ("a-b", "Birds a-b fly, bird!"),
    ]


def test_a_word_is_mentioned_as_a_word_of_its_own() -> None:
    assert mentions("It is Flightless.", "flightless") and mentions("the birds", "bird")
    assert not mentions("blackbird", "bird") and not mentions("anything", " ")


EXPLAIN, CRITICISE, NAME, REFINE = (
    "Explain in two",
    "Is the explanation true",
    "words of the question",
    "# Remarks on it",
)
FLIPPED = row_of("Can a flightless bird fly?", chosen="no", inserted_word="flightless")
FIRST, BETTER, BEST = "Birds may be heavy.", "It has weak wings.", "It is flightless."


def test_feedback_makes_an_explanation_faithful() -> None:
    script: Script = [
        ([CRITICISE, FIRST], "Wings matter."), ([CRITICISE, BETTER], "It says flightless."),
        ([CRITICISE, BEST], "Nothing to change."), ([REFINE, "Wings"], BETTER), ([REFINE, "says"], BEST),
        (EXPLAIN, FIRST),
    ]  # fmt: skip
    [row], model = ran(FaithfulExplanation(), FLIPPED, script)
    asked = row.pop("prompt")
    origin = {"stage": "synth.faithful_explanation", "params": '{"feedback":"critique","rounds":2}'}
    made = {"turns": None, "image": None, "model": "scripted"}
    tail = {"model": "scripted", "seed": 7}
    assert row == {
        "chosen": {"text": BEST, **made, "made_by": {**origin, "method": "refined", **tail}},
        "rejected": {"text": FIRST, **made, "made_by": {**origin, "method": "first", **tail}},
        "verdict": "prefer", "first_explanation": FIRST, "refined_explanation": BEST, "explanation_rounds": 2,
        "explanation_feedback": ["Wings matter.", "It says flightless."], "explained_answer": "no",
    }  # fmt: skip
    assert asked[0]["content"].startswith("# Question\nCan a flightless bird fly?\n\n# Your answer\nno")
    assert len(model.asked) == 6


def test_rounds_end_where_nothing_changes_or_at_the_limit() -> None:
    content: Script = [(CRITICISE, "NOTHING TO CHANGE"), (EXPLAIN, FIRST)]
    [row], model = ran(FaithfulExplanation(), FLIPPED, content)
    assert row["rejected"] is None and row["explanation_rounds"] == 0 and row["verdict"] is None
    assert row["chosen"]["text"] == FIRST and len(model.asked) == 2
    stubborn: Script = [(CRITICISE, "Say more."), (REFINE, FIRST), (EXPLAIN, FIRST)]
    [row], _ = ran(FaithfulExplanation(), FLIPPED, stubborn)
    assert row["explanation_rounds"] == 0 and row["explanation_feedback"] == ["Say more."]
    endless: Script = [
        (CRITICISE, "Say more."), ([REFINE, "explanation\none\n"], "two"),
        ([REFINE, "explanation\ntwo\n"], "three"), ([REFINE, "explanation\nthree\n"], "four"), (EXPLAIN, "one"),
    ]  # fmt: skip
    stage = FaithfulExplanation()
    [row], model = ran(stage, row_of("q", chosen="a"), endless)
    assert row["explanation_rounds"] == 3 and len(model.asked) == stage.calls_a_row() == 7


@pytest.mark.parametrize(
    ("first", "last", "word", "sides"),
    [
        (FIRST, BEST, "flightless", (BEST, FIRST, "prefer")),
        (BEST, FIRST, "flightless", (BEST, FIRST, "prefer")),
        (FIRST, BETTER, "flightless", (BETTER, FIRST, "tie")),
        (FIRST, BETTER, None, (BETTER, FIRST, "prefer")),
    ],
)
def test_the_faithful_explanation_is_chosen(first: str, last: str, word: str | None, sides: tuple[str, ...]) -> None:
    script: Script = [([CRITICISE, first], "Well."), (CRITICISE, "NOTHING TO CHANGE"), (REFINE, last), (EXPLAIN, first)]
    [row], _ = ran(FaithfulExplanation(), FLIPPED | {"inserted_word": word}, script)
    assert (row["chosen"]["text"], row["rejected"]["text"], row["verdict"]) == sides
    assert row["refined_explanation"] == last


def test_important_words_are_feedback() -> None:
    named = json.dumps({"words": ["flightless", "bird", "penguin"]})
    script: Script = [(NAME, named), ([REFINE, "mattered for the answer: flightless, bird."], BEST), (EXPLAIN, FIRST)]
    [row], _ = ran(FaithfulExplanation(feedback="words", rounds=1), FLIPPED, script)
    assert row["refined_explanation"] == BEST, "a word that is not in the question is no feedback"
    all_told: Script = [(NAME, named), (EXPLAIN, "A flightless bird.")]
    [row], _ = ran(FaithfulExplanation(feedback="words"), FLIPPED, all_told)
    assert row["explanation_rounds"] == 0
    broken, _ = ran(FaithfulExplanation(feedback="words"), FLIPPED, [(NAME, "bird"), (EXPLAIN, FIRST)])
    assert isinstance(broken, Drop) and broken.reason == "words: unparsable"


def rows(*cases: tuple[str | None, str | None, str | None]) -> TableFrame:
    names = ("inserted_word", "first_explanation", "refined_explanation")
    return TableFrame(pa.table([pa.array(c, pa.string()) for c in zip(*cases, strict=True)], names=list(names)))


def test_how_many_explanations_leave_the_word_out(tmp_path: Path) -> None:
    cases = [("flightless", FIRST, BEST)] * 3 + [("flightless", FIRST, BETTER)] * 4 + [("flightless", BEST, BEST)] * 3
    frame = rows(*cases, (None, FIRST, BEST), ("odd", None, BEST))
    facts = CounterfactualUnfaithfulness().sink(frame, SinkContext.at(tmp_path))  # type: ignore[arg-type]
    assert facts["cases"] == 10
    found: dict[str, Any] = {line["measure"]: line for line in facts["measures"]}
    assert found["unfaithful, first"]["value"] == 0.7 and found["unfaithful, refined"]["value"] == 0.4
    change = found["change by refining"]
    assert change["value"] == -0.3 and change["high"] == pytest.approx(-0.3 + 1.96 * 0.1528, abs=1e-3), "by hand"
    assert found["unfaithful, first"]["low"] == pytest.approx(0.3968, abs=1e-4), "Wilson's interval"
    none = CounterfactualUnfaithfulness().sink(TableFrame(frame.rows.slice(0, 0)), SinkContext.at(tmp_path))  # type: ignore[arg-type]
    assert none == {"cases": 0, "measures": []}, "a run that keeps nothing goes on"
    with pytest.raises(InputError, match="no row has a word"):
        CounterfactualUnfaithfulness().sink(rows((None, None, None)), SinkContext.at(tmp_path))  # type: ignore[arg-type]


def test_any_defect_may_be_the_word(tmp_path: Path) -> None:
    table = pa.table({"defect": ["Lyon", "Lyon"], "reasons": ["It says Lyon.", "It is short."]})
    stage = CounterfactualUnfaithfulness(word="defect", first="reasons", refined="reasons")
    facts = stage.sink(TableFrame(table), SinkContext.at(tmp_path))  # type: ignore[arg-type]
    assert [line["value"] for line in facts["measures"]] == [0.5, 0.5, 0.0]


def test_real_questions(data: Path) -> None:
    """A word that flips, words that do not, and a proposal that cannot be read."""
    told = []
    for k, row in enumerate(real_pairs(data, "truthfulqa.jsonl")):
        question = row["prompt"][-1]["content"]
        first = question.split()[0]
        proposal = "?" if k == 2 else insertions(("strangely", first))
        script: Script = [
            (PROPOSE, proposal), (f"strangely {first}", "The answer is: no" if k == 0 else "The answer is: so"),
            (question, "The answer is: so"),
        ]  # fmt: skip
        found, _ = ran(CounterfactualWord(), row, script)
        told.append(found.reason if isinstance(found, Drop) else found[0]["inserted_word"])
    assert told == ["strangely", "no word flips the answer", "propose: unparsable"]
