"""Figures on critiques, counted by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from rather.filters.diagnose_critiques import DiagnoseCritiques

from ..frames import SinkContext, TableFrame

VERDICTS: dict[str, Any] = {
    "critique_verdict": ["wrong", "wrong", "right", "wrong", "right", None],
    "response_right": [False, False, True, True, False, None],
    "verdict_ok": [True, True, True, False, False, None],
    "rationale_format": ["full", "full", "full", "brief", "brief", None],
}
REVISED: dict[str, Any] = {
    "chosen_usefulness": [0.5, 0.25, 0.0, -0.5, None, None],
    "chosen_usefulness_refined": [1.0, 0.5, 1.0, 0.25, None, None],
    "chosen_usefulness_changed": [1.0, 0.5, 0.0, 0.75, None, None],
}


def found(tmp_path: Path, columns: dict[str, Any], **options: Any) -> dict[str, Any]:
    facts = DiagnoseCritiques(**options).sink(TableFrame(pa.table(columns)), SinkContext.at(tmp_path))  # type: ignore[arg-type]
    return dict(facts)


def values(lines: list[dict[str, Any]]) -> dict[str, Any]:
    return {line["measure"]: line["value"] for line in lines}


def test_verdicts_and_their_truth(tmp_path: Path) -> None:
    facts = found(tmp_path, VERDICTS)
    assert facts["critiques"] == 6
    assert values(facts["measures"]) == {
        "says wrong": 0.6, "true verdicts": 0.6, "true verdicts on right responses": 0.5,
        "true verdicts on wrong responses": 0.6667,
    }  # fmt: skip
    assert [(g["group"], g["critiques"]) for g in facts["groups"]] == [("brief", 2), ("full", 3)]
    assert values(facts["groups"][0]["measures"])["true verdicts"] == 0.0
    assert values(facts["groups"][1]["measures"])["true verdicts"] == 1.0


def test_the_yield_of_each_format(tmp_path: Path) -> None:
    """Two of each format asked for three responses (one text is the answer to two questions): full gives 5, which
    makes 5/3, and brief 1, which makes 1/3, though it has none at all of two responses."""
    about = {
        "question": ["p", "p", "p", "q", "q", "p"],
        "response": ["a", "a", "b", "a", "a", "b"],
        "rationale_format": ["full", "full", "full", "full", "full", "brief"],
    }
    facts = found(tmp_path, VERDICTS | about)
    told = {group["group"]: values(group["measures"]).get("sound critiques a response") for group in facts["groups"]}
    assert told == {"full": 1.6667, "brief": 0.3333}
    assert "sound critiques a response" not in values(found(tmp_path, VERDICTS)["groups"][0]["measures"])


def test_pitfall_the_harm_to_right_answers_is_told_apart(tmp_path: Path) -> None:
    told = values(found(tmp_path, VERDICTS | REVISED)["measures"])
    assert told["right revisions"] == 0.6875
    assert told["change by revising"] == pytest.approx((1.0 + 0.5 + 0.0 - 0.75) / 4, abs=1e-4)
    assert told["wrong made right"] == 0.75 and told["right made wrong"] == 0.375, "the harm is told apart"
    assert told["usefulness"] == 0.0625 and told["revisions with another result"] == 0.5625


def test_a_critic_that_finds_fault_with_everything_is_seen(tmp_path: Path) -> None:
    columns = {
        "critique_verdict": ["wrong"] * 40,
        "verdict_ok": [True, False] * 20,
        "response_right": [False, True] * 20,
    }
    facts = found(tmp_path, columns, by=None)
    assert "groups" not in facts
    prior = facts["measures"][0]
    assert prior["value"] == 1.0 and prior["reading"] == "mostly wrong: balance"
    told = values(facts["measures"])
    assert (told["true verdicts on wrong responses"], told["true verdicts on right responses"]) == (1.0, 0.0)


def test_nothing_to_count(tmp_path: Path) -> None:
    """A run that left no critique is told so by its ledger; the diagnosis has nothing to add."""
    facts = found(tmp_path, {"critique_verdict": pa.array([], pa.string())})
    assert facts == {"critiques": 0, "measures": []}
