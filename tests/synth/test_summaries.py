"""Summaries: the three shares by hand, pairs, and every reply that is no check."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.synth.summaries import Summaries
from rather.synth.summary_scores import DIMENSIONS, Checked, contrasts, facts_by_sentence, sentences_of

from .scripted import Scripted, ran, row_of, texts

DOCUMENT = "The bridge opened in 1901. It cost two million. It is painted red every year by ten men."
ROW = row_of(DOCUMENT)
FACTS = ["It opened in 1901.", "It cost two million."]
GOOD, POOR = "It opened in 1901. It cost two million.", "The bridge is blue. Ten men like it."


def entries(**members: Any) -> str:
    ((name, values),) = members.items()
    return json.dumps({"items": [{"number": k, name: value} for k, value in enumerate(values, 1)]})


def script(**said: Any) -> list[Any]:
    return [
        ("You extract the key facts", said.get("facts", json.dumps({"items": FACTS}))),
        (["You check a summary", GOOD[:18]], said.get("good", entries(error=["none", "none"]))),
        (["You check a summary", POOR[:18]], entries(error=["wrong_fact", "none"])),
        (
            ["You align key facts", f"of the summary\n1. {GOOD[:18]}"],
            said.get("carried", entries(sentences=[[1], [2, 2]])),
        ),
        (["You align key facts", f"of the summary\n1. {POOR[:18]}"], entries(sentences=[[], []])),
        ("Summarize the following", said.get("summaries", [GOOD, POOR])),
    ]


def test_the_row_in_full() -> None:
    stage = Summaries(samples=2)
    found, model = ran(stage, ROW, script())

    def sentence(text: str, error: str | None, facts: list[int]) -> dict[str, Any]:
        return {"text": text, "faithful": error is None, "error": error, "facts": facts}

    assert [texts(row) for row in found] == [
        {
            "prompt": f"Summarize the following text in a few sentences.\n\n{DOCUMENT}", "chosen": GOOD,
            "rejected": POOR, "verdict": "prefer", "margin": pytest.approx(1 - 0.5 / 3), "key_facts": FACTS,
            "chosen_faithfulness": 1.0, "chosen_completeness": 1.0, "chosen_conciseness": 1.0,
            "chosen_composite": 1.0, "rejected_faithfulness": 0.5, "rejected_completeness": 0.0,
            "rejected_conciseness": 0.0, "rejected_composite": pytest.approx(0.5 / 3), "summaries_failed": 0,
            "chosen_sentences": [sentence(FACTS[0], None, [0]), sentence(FACTS[1], None, [1])],
            "rejected_sentences": [
                sentence("The bridge is blue.", "wrong_fact", []), sentence("Ten men like it.", None, []),
            ],
        }
    ]  # fmt: skip
    assert len(model.asked) == 1 + 3 * 2 == stage.calls_a_row()
    assert found[0]["rejected"]["made_by"]["seed"] == 8


def test_pitfall_key_facts_are_extracted_once_and_frozen() -> None:
    """Pitfall: key facts found anew for each summary make completeness incomparable."""
    _, model = ran(Summaries(samples=2), ROW, script())
    assert sum("You extract the key facts" in text for text in model.asked) == 1
    shown = [text.split("# Key facts")[1].split("# Sentences")[0] for text in model.asked if "You align" in text]
    assert len(shown) == 2 and shown[0] == shown[1]


@pytest.mark.parametrize(("idle", "lead"), [(3, 0.25), (1, None)])
def test_pitfall_most_of_a_lead_may_be_conciseness(idle: int, lead: float | None) -> None:
    """Idle sentences beside one that carries all: conciseness is 1 / (1 + idle), the rest stays 1.

    Three of them: (1 - 1/4) / 3 = 0.25 of a lead, told by dimension. One: (1 - 1/2) / 3 = 0.17, too little alone.
    """
    poor = " ".join([POOR[:19], *["Men like it."] * idle])
    said = script(summaries=["It opened in 1901 for two million.", poor])
    said[:0] = [
        (["You check a summary", "for two million."], entries(error=["none"])),
        (["You check a summary", poor[:18]], entries(error=["none"] * (1 + idle))),
        ("You align key facts", entries(sentences=[[1], [1]])),
    ]
    found, _ = ran(Summaries(samples=2), ROW, said)
    if lead is None:
        assert isinstance(found, Drop) and found.reason == "no summary good and far enough ahead"
        return
    [row] = found
    leads = [row[f"chosen_{name}"] - row[f"rejected_{name}"] for name in DIMENSIONS]
    assert leads == [0.0, 0.0, 0.75] and row["margin"] == pytest.approx(lead)


def test_the_shares_by_hand() -> None:
    """Four sentences, one unfaithful; of five key facts two are carried, by two of the sentences."""
    facts = facts_by_sentence([[1, 3], [3], [], [], [9]], 4)
    assert facts == ((0,), (), (0, 1), ())
    checked = Checked("t", ("a", "b", "c", "d"), ("", "wrong_fact", "", ""), facts, 5)
    shares = (checked.faithfulness, checked.completeness, checked.conciseness)
    assert shares == (0.75, 0.4, 0.5) and checked.composite == pytest.approx(0.55)


def test_pairs_by_hand() -> None:
    assert contrasts([0.9, 0.7, 0.5, 0.85], 0.8, 0.2, 4) == [(0, 2), (3, 2), (0, 1)]
    assert contrasts([0.9, 0.7, 0.5, 0.85], 0.8, 0.2, 2) == [(0, 2), (3, 2)]
    assert contrasts([0.7, 0.1], 0.8, 0.2, 4) == [] == contrasts([0.9, 0.8], 0.8, 0.2, 4)


def test_sentences_end_where_they_do() -> None:
    assert sentences_of("One is 3.5 km. Two! “Three?” said he.\n- Four\n") == (
        "One is 3.5 km.", "Two!", "“Three?” said he.", "- Four",
    )  # fmt: skip


def test_models_of_different_strength() -> None:
    strong, weak = (Scripted(script(summaries=text), name) for name, text in (("strong", GOOD), ("weak", POOR)))
    stage = Summaries(writers=("strong", "weak"))
    found, judge = ran(stage, ROW, script(), strong=strong, weak=weak)
    assert [row["chosen"]["model"] for row in found] == ["strong"] and found[0]["rejected"]["model"] == "weak"
    assert len(judge.asked) == 5 and len(strong.asked) == len(weak.asked) == 1 and stage.calls_a_row() == 7
    assert Summaries(writers="one").faults()[0].startswith("one summary a document makes no pair")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"facts": "1901"}, "key_facts: unparsable"),
        ({"facts": '{"items": [" "]}'}, "no key fact"),
        ({"summaries": [GOOD, Reply("", "refusal")]}, "fewer than two checked summaries"),
        ({"good": entries(error=["none"])}, "fewer than two checked summaries"),
        ({"good": entries(error=["none", "bad"])}, "fewer than two checked summaries"),
        ({"carried": entries(sentences=[[1], [2], [1]])}, "fewer than two checked summaries"),
        ({"carried": Reply('{"items"', "length")}, "fewer than two checked summaries"),
        ({"carried": entries(sentences=[[], [2]])}, "no summary good and far enough ahead"),
    ],
)
def test_every_other_end(said: dict[str, Any], reason: str) -> None:
    found, _ = ran(Summaries(samples=2), ROW, script(**said))
    assert isinstance(found, Drop) and found.reason == reason
