"""Self-contrast: medoids by hand, every step, every way a row ends."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rather.core.stage import Drop
from rather.models.encoders_text import StaticText
from rather.synth.medoids import medoids
from rather.synth.self_contrast import SelfContrast

from .scripted import ran, real_pairs, row_of, texts

ROW = row_of("How many legs have two spiders and a bee?")
VIEWS = ["Add them up.", "Count a spider twice.", "Guess."]
SAID = {"Add them up.": "22", "Count a spider twice.": "2 times 8 plus 6 is 22", "Guess.": "Twenty-four"}


class Corners:
    """22 and its kin point one way, the guess another."""

    def encode(self, found: list[str]) -> np.ndarray:
        return np.array([[0.0, 1.0] if "four" in text else [1.0, 0.0] for text in found], np.float32)


def items(*found: Any) -> str:
    return json.dumps({"items": found})


def script(**said: Any) -> list[Any]:
    return [
        ("Name 3 ways", said.get("views", items(*VIEWS))),
        ("You compare two attempts", said.get("contrast", items("22 against 24"))),
        ("You turn differences", said.get("checklist", items("A bee has six legs.", "The sum is checked."))),
        ("The final answer:", said.get("revised", "16 + 6 = 22")),
        (["Which items are not met", "Twenty-four"], said.get("check", items(2, 1, 9))),
        ("Which items are not met", said.get("fine", items())),
        *((f"# Approach\n{view}", text) for view, text in SAID.items()),
    ]


def test_the_rows_in_full() -> None:
    stage = SelfContrast(perspectives=3, clusters=2)
    found, model = ran(stage, ROW, script(), static=Corners())
    assert [texts(row) for row in found] == [
        {
            "chosen": "16 + 6 = 22", "rejected": "Twenty-four", "verdict": "prefer", "perspectives": VIEWS,
            "rubric": [
                {"id": "c1", "criterion": "A bee has six legs.", "weight": None, "kind": "principle"},
                {"id": "c2", "criterion": "The sum is checked.", "weight": None, "kind": "principle"},
            ],
            "differences": ["22 against 24"], "disagreement": 1.0, "failed_items": [1, 2],
            "answer_share": pytest.approx(1 / 3),
        }
    ]  # fmt: skip
    assert json.loads(found[0]["rejected"]["made_by"]["params"]) == {"perspective": "Guess."}
    assert len(model.asked) == 1 + 3 + 1 + 1 + 1 + 2 == stage.calls_a_row()
    contrasted = next(text for text in model.asked if "You compare two attempts" in text)
    assert "# One attempt\n22" in contrasted and "# Another attempt\nTwenty-four" in contrasted


def test_disagreement_is_the_share_of_pairs_that_differ() -> None:
    contrast = [
        (["You compare two attempts", "22", "Twenty-four"], items("The sum.")),
        ("You compare two attempts", items()),
    ]
    found, _ = ran(SelfContrast(perspectives=3, clusters=3), ROW, [*contrast, *script()], static=Corners())
    assert found[0]["disagreement"] == pytest.approx(2 / 3) and found[0]["differences"] == ["The sum."]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"views": "Add them."}, "perspectives: unparsable"),
        ({"views": items("Only one.")}, "perspectives: unparsable"),
        ({"contrast": items()}, "no difference between the answers"),
        ({"checklist": items()}, "checklist: unparsable"),
        ({"revised": "I'm sorry, I can't."}, "revise: refused"),
        ({"check": items()}, "every answer meets the checklist"),
        ({"check": items(9)}, "every answer meets the checklist"),
        ({"check": "all of them"}, "check: unparsable"),
    ],
)
def test_every_other_end_has_its_reason(said: dict[str, Any], reason: str) -> None:
    """Pitfall: a revision may be worse than the majority; it is preferred only to what fails the checklist."""
    found, _ = ran(SelfContrast(perspectives=3, clusters=2), ROW, script(**said), static=Corners())
    assert isinstance(found, Drop) and found.reason == reason


def test_more_clusters_than_answers_is_a_fault() -> None:
    assert list(SelfContrast(perspectives=2, clusters=3).faults()) == ["clusters (3) are more than perspectives (2)"]


def test_medoids_by_hand() -> None:
    angles = np.radians([0, 10, 20, 90, 100])
    chosen, nearest = medoids(np.column_stack([np.cos(angles), np.sin(angles)]), 2)
    assert chosen == [1, 3] and nearest.tolist() == [0, 0, 0, 1, 1]
    assert medoids(np.ones((3, 1)), 2)[0] == [0, 1], "of equal choices the first"
    assert medoids(np.eye(2), 5)[0] == [0, 1]


def test_exchanging_finds_what_trying_all_does() -> None:
    """Forty vectors in four tight groups: too many choices to try, yet each group gets its own centre."""
    rng = np.random.default_rng(2)
    centres = np.eye(8)[:4]
    vectors = np.repeat(centres, 10, axis=0) + rng.normal(size=(40, 8)) * 0.05
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    chosen, nearest = medoids(vectors, 4)
    assert [place // 10 for place in chosen] == [0, 1, 2, 3] and nearest.tolist() == sorted(list(range(4)) * 10)
    few = vectors[::4]
    cost = {c: (1 - few @ few[list(c)].T).min(axis=1).sum() for c in combinations(range(10), 3)}
    assert tuple(medoids(few, 3)[0]) == min(cost, key=lambda c: round(cost[c], 6))


def test_real_prompts_with_the_real_encoder(data: Path) -> None:
    for row in real_pairs(data, "truthfulqa.jsonl"):
        found, _ = ran(SelfContrast(perspectives=3, clusters=2), row, script(fine=items(1)), static=StaticText())
        assert len(found) == 2 and sum(made["answer_share"] for made in found) == pytest.approx(1)
        assert {made["rejected"]["text"] for made in found} < set(SAID.values())
