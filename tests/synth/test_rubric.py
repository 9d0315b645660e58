"""Rubrics from preferences: what passes, what is tried again, what is kept apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rather.core.errors import CallError
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.synth.rubric import Rubric
from rather.synth.rubric_lines import lines_of, sound_lines
from rather.synth.rubric_training import RubricTraining

from .scripted import ran, real_pairs, row_of

ROW = row_of("Name one prime below five, in one word.", chosen="Three", rejected="Well, maybe four")
PRIME = {"kind": "principle", "criterion": "What is named is a prime."}
SHORT = {"kind": "hard_rule", "criterion": "It is one word."}
WRITING, JUDGING = "You write rubrics", "by the criteria you are given"


def said(*lines: dict[str, str]) -> str:
    return json.dumps({"demands": ["one word"], "differences": ["only one is a prime"], "items": lines})


def judge(better: str) -> list[tuple[list[str], str]]:
    """A judge for whom the answer with these words wins in both orders."""
    return [([JUDGING, f"# Answer A\n{better}"], "A"), ([JUDGING, f"# Answer B\n{better}"], "B")]


def stage(**options: Any) -> Rubric:
    return Rubric(**{"length_ratio": None} | options)


def test_a_rubric_that_leads_to_the_label_passes() -> None:
    found, model = ran(stage(), ROW, [(WRITING, said(SHORT, PRIME)), *judge("Three")])
    origin = {
        "stage": "synth.rubric", "method": "contrast", "params": '{"try":1}', "model": "scripted", "seed": 7,
    }  # fmt: skip
    assert found == [
        {
            "rubric": [
                {"id": "h1", "criterion": "It is one word.", "weight": None, "kind": "hard_rule"},
                {"id": "p2", "criterion": "What is named is a prime.", "weight": None, "kind": "principle"},
            ],
            "consistency": "pass", "n_tries": 1, "rubric_fault": None, "failed_rubric": None, "made_by": origin,
        }
    ]  # fmt: skip
    writing, *judging = model.asked
    assert "# Preferred\nThree" in writing and "# Not preferred\nWell, maybe four" in writing
    assert len(judging) == 2 and all("1. It is one word. (a hard rule)\n2. What is" in text for text in judging)
    assert not any("Preferred" in text for text in judging), "the label is not shown to who checks it"


def test_causal_attributes_are_principles() -> None:
    """Crome: attributes are listed from the prompt alone, the list is revised once; the judge checks them as any."""
    listed = ("You name what decides", json.dumps({"items": [{"name": "odd", "meaning": "It is odd."}]}))
    revised = ("You edit lists", json.dumps({"items": [{"name": "prime", "meaning": "What is named is a prime."}]}))
    attributes = stage(source="attributes")
    [found], model = ran(attributes, ROW, [listed, revised, *judge("Three")])
    assert found["rubric"] == [
        {"id": "p1", "criterion": "prime: What is named is a prime.", "weight": None, "kind": "principle"}
    ]
    assert (found["consistency"], found["made_by"]["method"]) == ("pass", "attributes")
    assert "Three" not in model.asked[0] + model.asked[1] and "1. odd: It is odd." in model.asked[1]
    assert 4 * len(model.asked) == attributes.calls_a_row() == 16
    lost, _ = ran(stage(source="attributes", max_tries=1), ROW, [listed, ("You edit lists", "none")])
    assert lost == Drop("rubric: refine: unparsable", {"n_tries": 1, "consistency": "parse_error"})
    assert "chosen" not in stage(source="attributes", judge=None).columns_read()
    assert len(attributes.materials()) == 1 + len(stage().materials())


def test_another_is_written_until_the_judge_agrees() -> None:
    script = [
        (WRITING, ["no JSON", said(SHORT), said(PRIME)]),
        ([JUDGING, "one word. (a hard rule)"], "A"),
        *judge("Three"),
    ]
    found, model = ran(stage(), ROW, script)
    assert found[0]["n_tries"] == 3 and found[0]["consistency"] == "pass"
    assert [line["criterion"] for line in found[0]["rubric"]] == ["What is named is a prime."]
    assert len(model.asked) == 2 + 1 + 2 + 1 + 2, "what does not parse is asked for once more"


@pytest.mark.parametrize(
    ("script", "fault", "consistency"),
    [
        ([(WRITING, said(PRIME)), *judge("Well")], "inconsistent", "fail"),
        ([(WRITING, said(PRIME)), (JUDGING, "A")], "inconsistent", "fail"),
        ([(WRITING, said(PRIME)), (JUDGING, "tie")], "inconsistent", "fail"),
        ([(WRITING, said(PRIME)), (JUDGING, "who knows")], "judge unparsable", "parse_error"),
        ([(WRITING, Reply("", "content_filter"))], "refused", "parse_error"),
        ([(WRITING, Reply('{"items": [', "length"))], "truncated", "parse_error"),
        ([(WRITING, said({"kind": "vow", "criterion": "x"}))], "unparsable", "parse_error"),
    ],
)
def test_pitfall_rubrics_that_fail_label_consistency_are_kept_apart(
    script: list[Any], fault: str, consistency: str
) -> None:
    found, _ = ran(stage(max_tries=2), ROW, script)
    assert found == Drop(f"rubric: {fault}", {"n_tries": 2, "consistency": consistency})
    [kept], _ = ran(stage(max_tries=2, inconsistent="keep"), ROW, script)
    assert kept["rubric"] is None and kept["consistency"] == consistency and kept["rubric_fault"] == fault
    assert (kept["failed_rubric"] is not None) == (fault in ("inconsistent", "judge unparsable"))


def test_pitfall_a_rubric_that_only_says_longer_fails() -> None:
    """Pitfall: such a rubric passes the label check; without the texts it should decide nothing, and does."""
    row = row_of("Why is the sky blue?", chosen="Because of Rayleigh scattering in the air.", rejected="It is.")
    longer = {"kind": "principle", "criterion": "The explanation is detailed and long."}
    masked = "(not shown; 7 words)"
    script = [(WRITING, said(longer)), *judge("Because"), *judge(masked)]
    found, model = ran(Rubric(max_tries=1), row, script)
    assert found == Drop("rubric: length alone decides", {"n_tries": 1, "consistency": "fail"})
    assert len(model.asked) == 5 == Rubric(max_tries=1).calls_a_row()
    found, _ = ran(Rubric(), row, [(WRITING, said(longer)), *judge("Because"), (JUDGING, "tie")])
    assert found[0]["consistency"] == "pass"
    alike = row_of("Why is the sky blue?", chosen="Air scatters blue.", rejected="It is so.")
    found, model = ran(Rubric(), alike, [(WRITING, said(longer)), *judge("Air")])
    assert found[0]["consistency"] == "pass" and len(model.asked) == 3, "pairs of like length need no check"


def test_pitfall_criteria_give_no_answer_away() -> None:
    """Pitfall: rubrics written with the answers in view leak them."""
    answer = "A prime has exactly two divisors, one and itself, so three is one."
    reply = {"items": [
        {"kind": "principle", "criterion": "Says that a prime has exactly two divisors, one and itself."},
        {"kind": "principle", "criterion": "The preferred answer is right."},
        {"kind": "hard_rule", "criterion": "Names one prime below five,  in one word."},
        {"kind": "hard_rule", "criterion": "Names one prime below five, in one word."},
        {"kind": "principle", "criterion": "Is correct and gives a reason."},
    ]}  # fmt: skip
    lines = sound_lines(lines_of(reply, 10), "Name one prime below five, in one word.", [answer], 7)
    assert [(line["id"], line["criterion"]) for line in lines] == [
        ("h3", "Names one prime below five, in one word."), ("p4", "Is correct and gives a reason."),
    ]  # fmt: skip
    assert len(lines_of(reply, 2)) == 2
    script = [(WRITING, said({"kind": "principle", "criterion": "Better than the other response."}))]
    found, _ = ran(stage(max_tries=1), ROW, script)
    assert found == Drop("rubric: every criterion points at an answer", {"n_tries": 1, "consistency": "fail"})


def test_a_rubric_from_the_prompt_alone_sees_no_answer() -> None:
    row = row_of("Name one prime below five.")
    alone = Rubric(source="prompt", judge=None)
    found, model = ran(alone, row, [(WRITING, said(PRIME))])
    assert found[0]["consistency"] is None and found[0]["rubric"][0]["kind"] == "principle"
    assert len(model.asked) == 1 and alone.calls_a_row() == 4.0
    assert "chosen" not in alone.columns_read() and "chosen" in Rubric(source="prompt").columns_read()
    found, model = ran(stage(source="prompt"), ROW, [(WRITING, said(PRIME)), *judge("Three")])
    assert found[0]["consistency"] == "pass" and "maybe four" not in model.asked[0]


def test_a_failed_call_fails_the_row() -> None:
    with pytest.raises(CallError, match="gone"):
        ran(stage(), ROW, [(WRITING, said(PRIME)), (JUDGING, CallError("gone"))])
    with pytest.raises(CallError, match="gone"):
        ran(stage(), ROW, [(WRITING, CallError("gone"))])
    assert ran(stage(), row_of("Why?", chosen="So.", rejected=None), [])[0] == Drop("no rejected answer")
    assert ran(stage(), row_of(" ", chosen="So.", rejected="No."), [])[0] == Drop("no prompt")


def test_real_pairs(data: Path) -> None:
    for row in real_pairs(data, "llmbar.jsonl"):
        better = row["chosen"]["text"][:20]
        [made], _ = ran(Rubric(), row, [(WRITING, said(SHORT, PRIME)), *judge(better), (JUDGING, "tie")])
        assert made["consistency"] == "pass" and len(made["rubric"]) == 2


def test_pitfall_the_generator_is_trained_without_answers() -> None:
    """Pitfall: a generator that sees answers leaks them; it is trained on the prompt alone."""
    lines = [{"id": "h1", "criterion": "It is one word.", "weight": None, "kind": "hard_rule"}]
    row = ROW | {"rubric": lines}
    found, _ = ran(RubricTraining(both_orders=True), row, [])
    assert [made["kind"] for made in found] == ["generator", "judge", "judge"]
    generator, given, swapped = ("\n".join(m["content"] for m in made["prompt"]) for made in found)
    assert "Three" not in generator and "maybe four" not in generator and "at most 10 criteria" in generator
    assert json.loads(found[0]["chosen"]["text"]) == {
        "items": [{"kind": "hard_rule", "criterion": "It is one word."}],
    }  # fmt: skip
    assert "# Answer A\nThree" in given and "# Answer B\nThree" in swapped and "1. It is one word." in given
    assert [made["chosen"]["text"] for made in found[1:]] == ["A", "B"]
    assert {made["rejected"] for made in found} == {None}
    orders = {
        ran(RubricTraining(rows=("judge",)), row | {"id": f"r{k}"}, [])[0][0]["chosen"]["text"] for k in range(20)
    }
    assert orders == {"A", "B"}, "the place of the better answer is chance"
    assert ran(RubricTraining(), ROW | {"rubric": None}, [])[0] == Drop("no rubric that passed")
