"""Revision by passages: what is looked up, what the gates let through, what a row says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.models.fake_scorers import FakeCausalLM
from rather.synth.bm25 import Passages
from rather.synth.retrieval_feedback import RetrievalFeedback

from .scripted import ran, real_pairs, row_of

PASSAGES = ["The tower in Paris opened in 1889.", "Bread rises by yeast.", "Towers in Pisa lean, not in Paris."]
ROW = row_of("When did the tower in Paris open?", chosen="The tower opened in 1891.")
REVISED = "The tower opened in 1889."
COMPARING = "You compare two answers"
JUDGE = [([COMPARING, f"# Answer A\n{REVISED}"], "A"), ([COMPARING, f"# Answer B\n{REVISED}"], "B")]
REFINE, SUPPORT = ("The revised answer:", REVISED), ("Do the passages support", "yes")


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "passages.txt"
    path.write_text("\n\n".join(PASSAGES), encoding="utf-8")
    return str(path)


def test_the_row_in_full(file: str) -> None:
    stage = RetrievalFeedback(documents=file, answer="chosen", passages=2)
    [found], model = ran(stage, ROW, [REFINE, SUPPORT, *JUDGE])
    order, scores = zip(
        *Passages(PASSAGES).nearest("When did the tower in Paris open? The tower opened in 1891.", 2), strict=True
    )
    origin = {
        "stage": "synth.retrieval_feedback", "method": "refine", "params": '{"passages":[0,2]}', "model": "scripted",
        "seed": 7,
    }  # fmt: skip
    assert found == {
        "chosen": {"text": REVISED, "turns": None, "image": None, "model": "scripted", "made_by": origin},
        "rejected": {"text": "The tower opened in 1891."}, "verdict": "prefer",
        "evidence_ids": list(order), "evidence": [PASSAGES[0], PASSAGES[2]], "evidence_scores": list(scores),
        "gate_p": 1.0, "logp_draft": None, "logp_refined": None,
        "spans": [{"start": 20, "end": 24, "kind": "changed", "severity": None, "comment": "1891"}],
    }  # fmt: skip
    assert len(model.asked) == 4 == stage.calls_a_row() and "[1] The tower in Paris opened in 1889." in model.asked[0]


def test_several_drafts_broaden_what_is_found(file: str) -> None:
    """The second draft brings in yeast, which neither the prompt nor the first draft speaks of."""
    stage = RetrievalFeedback(documents=file, drafts=2, passages=3)
    drafting = ("Answer from what you know", ["The tower opened in 1891.", "Bread and yeast opened it."])
    [found], model = ran(stage, row_of("When did the tower in Paris open?"), [drafting, REFINE, SUPPORT, *JUDGE])
    assert sorted(found["evidence_ids"]) == [0, 1, 2] and len(model.asked) == 6 == stage.calls_a_row()
    assert (
        found["rejected"]["text"] == "The tower opened in 1891." and found["rejected"]["made_by"]["method"] == "draft"
    )


@pytest.mark.parametrize(
    ("script", "dropped"),
    [
        ([("revised answer:", Reply("The", "length"))], Drop("refine: truncated", {"reply": "nothing was said"})),
        ([("revised answer:", "the tower opened in 1891")], Drop("refine: unchanged")),
        ([REFINE, (COMPARING, "tie")], Drop("not confirmed: judged a tie", {"gate_p": 0.5})),
        ([REFINE, (COMPARING, "hm")], Drop("confirmation: unparsable", {"gate_p": None})),
        ([REFINE, *JUDGE, ("support", "No.")], Drop("the passages do not support the change")),
    ],
)
def test_what_the_gates_stop(file: str, script: list[Any], dropped: Drop) -> None:
    assert ran(RetrievalFeedback(documents=file, answer="chosen"), ROW, script)[0] == dropped


def test_nothing_to_look_up(file: str) -> None:
    row = row_of("Quoi?", chosen="Rien.")
    assert ran(RetrievalFeedback(documents=file, answer="chosen"), row, [])[0] == Drop(
        "no passage shares a word with it"
    )


def test_likelihood_a_token_is_the_gate_of_the_paper(file: str) -> None:
    stage = RetrievalFeedback(
        documents=file, answer="chosen", gate="likelihood", scorer="lm", judge=None, supported=False
    )
    found, model = ran(stage, ROW, [REFINE], lm=_Likes("1889"))
    assert len(model.asked) == 1 == stage.calls_a_row()
    assert (found[0]["logp_draft"], found[0]["logp_refined"], found[0]["gate_p"]) == (-1.0, -0.5, None)
    worse = "The tower opened in 1891, or so."
    low = [("revised answer:", worse)]
    assert ran(stage, ROW, low, lm=_Likes())[0] == Drop(
        "the draft is as likely", {"logp_draft": -1.0, "logp_refined": -1.0}
    )
    assert ran(stage, ROW, low, lm=FakeCausalLM(2))[0] == Drop("too long for the scorer")


class _Likes:
    """Every token costs one nat, in a text with these words half of one: length decides nothing."""

    def __init__(self, words: str = "nothing") -> None:
        self.words = words

    def logprobs(self, prompts: Any, answers: Any) -> tuple[np.ndarray, np.ndarray]:
        texts = [talk[0]["content"] for talk in answers]
        counts = np.array([float(len(text.split())) for text in texts])
        return -counts * [0.5 if self.words in text else 1.0 for text in texts], counts


def test_what_does_not_go_together_is_told(file: str, tmp_path: Path) -> None:
    assert list(RetrievalFeedback(documents=file).faults()) == []
    told = RetrievalFeedback(documents=str(tmp_path / "a.csv"), gate="likelihood", judge=None).faults()
    assert [line.split(":")[0] for line in told] == [
        "gate", "without a judge give gate", "documents",
    ]  # fmt: skip


def test_the_passages_are_part_of_the_key(file: str) -> None:
    before = RetrievalFeedback(documents=file).materials()
    Path(file).write_text("other passages")
    assert RetrievalFeedback(documents=file).materials() != before


def test_real_questions(data: Path, tmp_path: Path) -> None:
    rows = real_pairs(data, "truthfulqa.jsonl")
    path = tmp_path / "known.txt"
    path.write_text("\n\n".join(row["rejected"]["text"] for row in rows), encoding="utf-8")
    for row in rows:
        stage = RetrievalFeedback(documents=str(path), answer="rejected")
        script = [("The revised answer:", row["chosen"]["text"]), SUPPORT]
        better = f"\n{row['chosen']['text']}\n"
        judging = [([COMPARING, f"# Answer A{better}"], "A"), (COMPARING, "B")]
        [found], _ = ran(stage, row, [*script, *judging])
        assert found["rejected"] == row["rejected"] and row["rejected"]["text"] in found["evidence"]
