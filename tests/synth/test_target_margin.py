"""Negatives aimed at a judged margin where there is no prose to make harder: topics, masks, a weaker model, rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rather.core.errors import CallError
from rather.core.stage import Drop
from rather.models.encoders_text import StaticText
from rather.synth.corrupt import Corrupt
from rather.synth.mask_infill import MaskInfill
from rather.synth.masking import MASK
from rather.synth.overwrite_topics import OverwriteTopics
from rather.synth.topics_claims import Claim
from rather.synth.topics_edits import Edit, lessened
from rather.synth.weaker_model import WeakerModel

from .scripted import Scripted, ran, real_pairs, row_of
from .test_mask_infill import FILLED, SOUND, TEXT, alike
from .test_overwrite_topics import FIRST, M330, PARIS, ROME, SECOND, WORSE, Y1889, Y1901, row, script

HALF = f"{PARIS} {Y1901} and 100 metres high."
ONE = f"{PARIS} {Y1901} {M330}"


def rating(text: str, points: str | CallError) -> tuple[list[str], Any]:
    return (["from 1 (useless", f"# Answer\n{text}"], points)


def ratings(**points: str) -> list[tuple[list[str], Any]]:
    known = {"first": FIRST, "second": SECOND, "worse": WORSE, "half": HALF, "one": ONE}
    return [rating(f"{known[name]}\n", mark) for name, mark in points.items()]


def told(made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(made["rejected"]["made_by"]["params"])
    return found


REWRITES = [
    (["# Edits", f"1. Instead of: {PARIS}", "3. Instead of"], WORSE),
    (["# Edits", "2. Instead of"], HALF),
    (["# Edits", f"1. Instead of: {Y1889}"], ONE),
]


def overwritten(marks: list[Any], **options: Any) -> tuple[Any, Scripted, Scripted]:
    judge = Scripted([*marks, *script()], "judge")
    stage = OverwriteTopics(target_margin=(2, 4), **options)
    found, writer = ran(stage, row(FIRST, SECOND), [*REWRITES, *script()], judge=judge, static=StaticText())
    assert len(writer.asked) + len(judge.asked) <= stage.calls_a_row()
    return found, writer, judge


@pytest.mark.parametrize(
    ("marks", "first", "text", "strength", "down", "tries"),
    [
        ({"worse": "6"}, "gross", WORSE, "gross", 3, 1),
        ({"worse": "1", "half": "6"}, "gross", HALF, "clear", 2, 2),
        ({"worse": "1", "half": "3", "one": "7"}, "gross", ONE, "subtle", 1, 3),
        ({"one": "9", "half": "7"}, "subtle", HALF, "clear", 2, 2),
    ],
)
def test_fewer_topics_are_overwritten_where_all_are_too_many(
    marks: Any, first: Any, text: str, strength: str, down: int, tries: int
) -> None:
    """All three topics wrong make 9 - 1 = 8 points, two 9 - 6 = 3, which lies in 2 to 4."""
    [made], _, judge = overwritten(ratings(first="9", **marks), strength=first)
    assert (made["chosen"]["text"], made["rejected"]["text"], made["overwrite_down"]) == (FIRST, text, down)
    params = told(made)
    assert (params["strength"], params["tries"], params["target"]) == (strength, tries, [2, 4])
    assert params["margin"] == made["judged_margin"] and len(params["edits"]) == down
    assert made["rejected"]["made_by"]["seed"] == 6 + tries and made["overwrite_fallback"] is None
    assert sum("from 1 (useless" in text for text in judge.asked) == 1 + tries


def test_the_least_certain_topics_are_kept_longest() -> None:
    """Leads 0.8 and -0.2 differ by 1.0, 0.6 and 0.2 by 0.4, 0.4 and 0.0 by 0.4: of three edits two are half, rounded
    up; of equals the first comes first; and they stand in their own order."""
    claims = [Claim(0, "", p_yes=lead) for lead in (0.8, 0.6, 0.4, -0.2, 0.2, 0.0)]
    a, b, c = edits = (Edit(0, 3), Edit(1, 4), Edit(2, 5))
    assert [lessened(claims, edits, strength) for strength in ("subtle", "clear", "gross")] == [(b,), (b, c), (a, b, c)]
    assert lessened(claims, (), "gross") == () and lessened(claims, (a,), "clear") == (a,)


def test_whole_answers_are_aimed_at_too() -> None:
    """No rewrite fits (8, 8 and 8 points); the second answer as it stands is 3 points worse."""
    marks = ratings(first="9", worse="1", half="1", one="1", second="6")
    [made], _, _ = overwritten(marks)
    assert made["overwrite_fallback"] == "margin out of reach" and made["judged_margin"] == 3.0
    assert made["rejected"]["text"] == SECOND and told(made)["why"] == "margin out of reach"
    far, _, _ = overwritten([*ratings(second="1"), *marks])
    assert far == Drop("margin out of reach", {"margin": 8.0, "strength": "subtle"})
    none, _, _ = overwritten(marks, fallback="drop")
    assert none == Drop("margin out of reach", {"margin": 8.0, "strength": "subtle"})
    unrated, writer, _ = overwritten(ratings(first="good"), fallback="drop")
    assert unrated.reason == "rate: unparsable" and not any("# Edits" in text for text in writer.asked)


def test_of_whole_answers_the_middle_one_is_clear() -> None:
    """Three answers that hold 3, 2 and 0 true topics of three; nothing can be rewritten where ten are wanted."""
    told_of = script({FIRST: [PARIS, Y1889, M330], ONE: [PARIS, Y1901, M330], SECOND: [ROME, Y1901, M330]})
    for strength, text in (("subtle", ONE), ("clear", SECOND), ("gross", SECOND)):
        stage = OverwriteTopics(strength=strength, least=10)  # type: ignore[arg-type]
        [made], _ = ran(stage, row(SECOND, ONE, FIRST), told_of, static=StaticText())
        assert (made["chosen"]["text"], made["rejected"]["text"]) == (FIRST, text)


def test_rates_of_masks_are_picked_by_margin() -> None:
    """The answer has 9 points: a fifth filled in anew is 3 points worse, which fits, all but one word 8, as another's.

    Of ten words two are hidden at rate 0.2 and nine at 0.9, without merging: the requests differ by their masks.
    """
    worse, other = "A blue fish swam by the far pond last night.", "Bread, mostly."
    script = [
        rating(TEXT, "9"), rating(FILLED, "6"), rating(worse, "1"), rating(other, "1"),
        (f"{MASK} {MASK} {MASK} {MASK}", worse), *SOUND, alike(TEXT, worse, 0.2),
    ]  # fmt: skip
    stage = MaskInfill(rates=(0.0, 0.2, 0.9), merge=0, target_margin=(2, 4), random=1)
    source = row_of("What did you see?", chosen=TEXT, other_answers=[other])
    found, model = ran(stage, source, script)
    assert [(one["verdict"], one["judged_margin"]) for one in found] == [("tie", None), ("prefer", 3.0)]
    assert found[1]["mask_faults"] == ["margin out of reach"] * 2 and found[1]["mask_rate"] == 0.2
    assert told(found[1])["target"] == [2, 4] and told(found[1])["margin"] == 3.0 and "target" not in told(found[0])
    assert len(model.asked) == 9 and stage.calls_a_row() == 10, "what does not fit is not asked how alike it is"
    far = MaskInfill(rates=(0.2,), target_margin=(7, 9), random=0)
    assert ran(far, source, script)[0] == Drop("margin out of reach", {"margin out of reach": 1, "margin": 3.0})
    [drawn], _ = ran(MaskInfill(rates=(0.2,), target_margin=(7, 9), random=1), source, script)
    assert drawn["rejected"]["text"] == other and drawn["judged_margin"] == 8.0 and told(drawn)["margin"] == 8.0
    assert MaskInfill().calls_a_row() == 18.0 and "prompt" not in MaskInfill().columns_read()


RIGHT = row_of("What is 6 times 7?", chosen="42")
ANSWERS = [rating("42", "9"), rating("Maybe 40?", "8"), rating("Some 90.", "5"), rating("Cheese.", "1")]


@pytest.mark.parametrize(
    ("band", "text", "strength", "temperature", "tries"),
    [
        ((0, 2), "Maybe 40?", "clear", 1.0, 1),
        ((3, 5), "Some 90.", "gross", 1.5, 2),
        ((8, 9), "Cheese.", "gross", 1.5, 3),
    ],
)
def test_a_weaker_model_is_held_back_more(band: Any, text: str, strength: str, temperature: float, tries: int) -> None:
    """The first answer is 1 point worse, the second, warmer one 4, the third 8."""
    weak, judge = Scripted([("6 times 7", ["Maybe 40?", "Some 90.", "Cheese."])], "weak"), Scripted(ANSWERS, "judge")
    stage = WeakerModel(judge="judge", target_margin=band)
    [found], _ = ran(stage, RIGHT, [], weak=weak, judge=judge)
    assert found["rejected"]["text"] == text and found["judged_margin"] == told(found)["margin"]
    assert (told(found)["strength"], told(found)["temperature"], told(found)["tries"]) == (strength, temperature, tries)
    assert found["rejected"]["made_by"]["seed"] == 6 + tries
    assert len(weak.asked) + len(judge.asked) == 1 + 2 * tries <= stage.calls_a_row() == 7


def test_a_weaker_model_may_be_held_back_less_or_not_far_enough() -> None:
    class Heard:
        name, requests = "weak", list[Any]()

        async def ask(self, request: Any, attempt: int = 0) -> Any:
            self.requests.append(request)
            return await Scripted([("6 times 7", "Cheese.")]).ask(request, attempt)

    judge = Scripted(ANSWERS, "judge")
    stage = WeakerModel(judge="judge", target_margin=(0, 2), tries=2, cut_off="keep", max_tokens=60)
    far, _ = ran(stage, RIGHT, [], weak=Heard(), judge=judge)
    assert far == Drop("margin out of reach", {"margin": 8.0, "strength": "subtle"})
    assert [(asked["temperature"], asked["max_tokens"]) for asked in Heard.requests] == [(1.0, 60), (0.5, 120)]
    same = Scripted([("6 times 7", "42")], "weak")
    dropped, _ = ran(stage, RIGHT, [], weak=same, judge=judge)
    assert dropped == Drop("both answers are the same") and len(same.asked) == 2


def test_rules_are_tried_until_one_makes_a_fitting_negative() -> None:
    """A number changed is 2 points worse, a text cut short 6: whichever rule comes first, the second is taken."""
    answer = "Oslo has 700,000 people and a long harbour. It lies by a fjord and was founded long ago, they say."
    source = row_of("Tell me of Oslo.", chosen=answer)
    stage = Corrupt(kinds=("wrong_number", "truncation"), target_margin=(5, 7), judge="judge")
    full = ["from 1 (useless", "they say."]
    script = [([*full, "Oslo has 700,000"], "9"), (full, "7"), ("from 1 (useless", "3")]
    for k in range(8):
        [found], judge = ran(stage, source | {"id": f"row{k}"}, script)
        assert found["rejected"]["made_by"]["method"] == "truncation" and found["judged_margin"] == 6.0
        assert told(found)["target"] == [5, 7] and told(found)["margin"] == 6.0
        assert len(judge.asked) <= 3 == stage.calls_a_row()
    far, _ = ran(Corrupt(kinds=("wrong_number",), target_margin=(5, 7), judge="judge"), source, script)
    assert far == Drop("margin out of reach", {"margin": 2.0})
    none, unasked = ran(Corrupt(kinds=("shuffled_steps",), target_margin=(5, 7), judge="judge"), source, [])
    assert none == Drop("no corruption applies") and unasked.asked == []
    both, _ = ran(stage.model_copy(update={"each": 2, "target_margin": (1, 7)}), source, script)
    assert sorted(one["judged_margin"] for one in both) == [2.0, 6.0]


@pytest.mark.parametrize("stage", [Corrupt, WeakerModel])
def test_a_target_needs_a_judge_and_an_order(stage: Any) -> None:
    assert "needs a judge" in stage(target_margin=(1, 2)).faults()[0]
    assert "smaller margin first" in stage(target_margin=(2, 1), judge="judge").faults()[0]
    assert list(stage().faults()) == [] and not stage().materials() and stage(target_margin=(1, 2)).materials()


@pytest.mark.parametrize("stage", [OverwriteTopics, MaskInfill])
def test_a_target_has_the_judge_of_the_method(stage: Any) -> None:
    assert "smaller margin first" in stage(target_margin=(2, 1)).faults()[0]
    assert list(stage(target_margin=(1, 2)).faults()) == []
    assert len(stage(target_margin=(1, 2)).materials()) == 1 + len(stage().materials())


def test_real_answers_and_a_judge_that_is_down(data: Path) -> None:
    for one in real_pairs(data, "llmbar.jsonl"):
        good, bad = one["chosen"]["text"], one["rejected"]["text"]
        weak = Scripted([(one["prompt"][0]["content"], bad)], "weak")
        judge = Scripted([rating(good, "8"), rating(bad, "3")], "judge")
        [found], _ = ran(WeakerModel(judge="judge", target_margin=(4, 6)), one, [], weak=weak, judge=judge)
        assert (found["rejected"]["text"], found["judged_margin"]) == (bad, 5.0)
    with pytest.raises(CallError, match="down"):
        ran(Corrupt(judge="judge", target_margin=(1, 2)), one, [("from 1 (useless", CallError("down"))])
