"""Pairs at the boundary of what a model knows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rather.core.stage import Drop
from rather.synth.refusal_boundary import RefusalBoundary
from rather.synth.refusal_texts import REFUSALS, declines

from .scripted import ran, row_of


def row(answers: Sequence[str], reference: str | None = "42") -> dict[str, Any]:
    return row_of("6 times 7?", candidates=[{"text": text} for text in answers], reference=reference)


def pairs(stage: RefusalBoundary, given: dict[str, Any]) -> list[tuple[str, str, str]]:
    found, model = ran(stage, given, [])
    assert model.asked == [] and not isinstance(found, Drop), found
    side = {text: "refusal" for text in REFUSALS}
    return [
        (one["pair_kind"], *(side.get(one[s]["text"], one[s]["text"]) for s in ("chosen", "rejected"))) for one in found
    ]


def test_a_known_question_in_full() -> None:
    given = row(["42"] * 3 + ["41"])
    found, _ = ran(RefusalBoundary(), given, [])
    shared = {"boundary": "known", "known_rate": 0.75, "known_by": "reference", "verdict": "prefer"}
    kinds = [one["pair_kind"] for one in found]
    assert kinds == ["right > refused", "refused > wrong", "right > wrong"]
    assert found[2] == shared | {"pair_kind": kinds[2], "chosen": {"text": "42"}, "rejected": {"text": "41"}}
    refusal = found[0]["rejected"]
    assert refusal["text"] in REFUSALS and refusal["made_by"]["method"] == "refusal"
    assert found[0]["chosen"] == {"text": "42"} and found[1]["rejected"] == {"text": "41"}


def test_an_unknown_question_is_better_refused() -> None:
    [only] = pairs(RefusalBoundary(), row(["40", "41", "43", "44"]))
    assert only[:2] == ("refused > wrong", "refusal") and only[2] in ("40", "41", "43", "44")
    kinds = pairs(RefusalBoundary(), row(["40", "41", "43", "42"]))
    assert [kind for kind, *_ in kinds] == ["refused > wrong", "right > wrong"]
    assert kinds[0][1] == "refusal" and kinds[0][2] in ("40", "41", "43") and kinds[1][1] == "42"


def test_between_the_thresholds_nothing_is_said() -> None:
    """Pitfall: thresholds that meet at one half give pairs that contradict each other."""
    found, _ = ran(RefusalBoundary(), row(["42", "42", "41", "40"]), [])
    assert found == Drop("neither known nor unknown", {"known_rate": 0.5})
    assert RefusalBoundary(known=0.5, unknown=0.5).faults() == ["unknown: 0.5 must lie below known: 0.5"]
    assert RefusalBoundary().faults() == []


def test_without_a_reference_agreement_decides() -> None:
    found, _ = ran(RefusalBoundary(), row(["It is 42.", "42", "so 42", "41"], None), [])
    assert {one["known_by"] for one in found} == {"agreement"} and found[0]["known_rate"] == 0.75
    assert found[2]["rejected"]["text"] == "41" and "42" in found[2]["chosen"]["text"]
    unsure, _ = ran(RefusalBoundary(), row(["39", "40", "41", "43"], ""), [])
    assert [one["pair_kind"] for one in unsure] == ["refused > wrong"], "nothing counts as right where nothing agrees"


def test_refusals_of_the_model_are_neither_right_nor_wrong() -> None:
    found, _ = ran(RefusalBoundary(), row(["42", "42", "42", "I don't know.", "I'm sorry, I can't say."]), [])
    assert found == Drop("neither known nor unknown", {"known_rate": 0.6})
    none, _ = ran(RefusalBoundary(), row(["I don't know."] * 3), [])
    assert none == Drop("nothing to pair", {"known_rate": 0.0})
    none, _ = ran(RefusalBoundary(), row(["I don't know."] * 3, None), [])
    assert none == Drop("nothing to pair", {"known_rate": 0.0})
    few, _ = ran(RefusalBoundary(), row(["42"]), [])
    assert few == Drop("too few answers", {"answers": 1})


def test_refusals_are_varied() -> None:
    """Pitfall: one fixed refusal teaches a reward model that string."""
    assert len(set(REFUSALS)) >= 20 and all(map(declines, REFUSALS))
    said = set()
    for k in range(60):
        given = row(["42"] * 4) | {"id": f"row{k}"}
        [found], _ = ran(RefusalBoundary(), given, [])
        said.add(found["rejected"]["text"])
    assert len(said) >= 15
    [own], _ = ran(RefusalBoundary(refusals=("Pass.",)), row(["42"] * 4), [])
    assert own["rejected"]["text"] == "Pass."


def test_several_pairs_of_a_kind() -> None:
    found = pairs(RefusalBoundary(each=2), row(["42", "it is 42", "that makes 42", "41"]))
    assert [kind for kind, *_ in found] == ["right > refused"] * 2 + ["refused > wrong"] * 2 + ["right > wrong"] * 2
    assert len(set(found[4:])) == 2


@pytest.mark.parametrize(
    "text", ["I’m not sure about that.", "Sorry, I can't help.", "We don't know.", "I lack the facts."]
)
def test_signs_of_declining(text: str) -> None:
    assert declines(text)


@pytest.mark.parametrize(
    "text", ["42", "I know: it is Paris.", "He was not sure of it but won.", "word " * 80 + "I am not sure"]
)
def test_answers_that_do_not_decline(text: str) -> None:
    assert not declines(text)


def test_real_questions(data: Path) -> None:
    """TruthfulQA's own right and wrong answers: a model that gives the right one nine times of ten knows."""
    lines = (data / "preferences" / "truthfulqa.jsonl").read_text(encoding="utf-8").splitlines()[:3]
    for line in map(json.loads, lines):
        answers = [line["chosen"]] * 9 + [line["rejected"]]
        given = row_of(line["prompt"], candidates=[{"text": text} for text in answers], reference=line["chosen"])
        found, _ = ran(RefusalBoundary(verifier="text"), given, [])
        assert {one["boundary"] for one in found} == {"known"} and found[0]["known_rate"] == 0.9
        assert (found[2]["chosen"]["text"], found[2]["rejected"]["text"]) == (line["chosen"], line["rejected"])
