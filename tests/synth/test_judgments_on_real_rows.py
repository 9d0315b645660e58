"""Con-J and Critic-RM on three real rows each: judgments for, against and without a verdict; the rows in full."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pyarrow as pa
from rather.core import registry
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.filters.critique_consistency import CritiqueConsistency
from rather.synth.contrastive_judgments import ContrastiveJudgments
from rather.synth.critique_marv import CritiqueMarv
from rather.synth.critique_merge import CritiqueMerge
from rather.synth.self_critique import SelfCritique

from ..judges import FakeContext
from .scripted import Script, made, message, ran, real_pairs
from .test_contrastive_judgments import says
from .test_reviews_on_real_rows import SCORED

SYSTEM = (
    "You are a careful judge of answers. You compare two answers to the same request: which one does what was asked, "
    "and is it true and safe? Length, manner and the order shown mean nothing."
)
FORM = 'Reply with JSON alone, the reason first: {"reason": "why one answer is better", "better": 1 or 2}'
REFUSAL = "I'm sorry, I can't help with that."


def gold(row: dict[str, Any]) -> int:
    """Where the better answer is shown: the row's own chance."""
    return 1 if FakeContext({}).rng(row["id"]).random() < 0.5 else 2


def judged(row: dict[str, Any], kind: str, chosen: Any, rejected: Any, *counts: int) -> dict[str, Any]:
    """A whole row of Con-J; a judgment is (text, method, seed), and True behind them where its reason was cut."""
    texts = [row["chosen"]["text"], row["rejected"]["text"]][:: 1 if gold(row) == 1 else -1]
    asked = f"# Request\n{row['prompt'][0]['content']}\n\n# Answer 1\n{texts[0]}\n\n# Answer 2\n{texts[1]}\n\n{FORM}"
    sides = [
        made(text, "synth.contrastive_judgments", method, seed, temperature=1.2, top_p=0.95, shortened=bool(cut))
        for text, method, seed, *cut in (chosen, rejected)
    ]
    return {
        "prompt": [message(SYSTEM, "system"), message(asked)], "verdict": "prefer", "pair_type": kind,
        "chosen": sides[0], "rejected": sides[1], "better_answer": gold(row), "judged_right": counts[0],
        "judged_wrong": counts[1], "judged_unknown": counts[2],
    }  # fmt: skip


def test_con_j(data: Path) -> None:
    """All kinds of free samples; a cut reason against no verdict; hints gone against, then no reply and a tie.

    A sentence of six words and a full stop is seven: 57 of them, 399, fit into the 400 that are kept.
    """
    rows = [row | {"id": name} for row, name in zip(real_pairs(data, "llmbar.jsonl"), ("d", "e", "f"), strict=True)]
    before = deepcopy(rows)
    assert {gold(row) for row in rows} == {1, 2}, "both places come up"

    def found(row: dict[str, Any], free: Any, guide: Any, reverse: Any, **options: Any) -> Any:
        hints = [(f"Argue for answer {gold(row)}", guide), (f"Argue for answer {3 - gold(row)}", reverse)]
        return ran(ContrastiveJudgments(n=3, **options), row, [*hints, ("# Answer 1", free)])[0]

    good, bad = gold(rows[0]), 3 - gold(rows[0])
    right, wrong, none = (says(good), "sample", 8), (says(bad), "sample", 7), ("Both will do.", "sample", 9)
    told, lied = (says(good, "told"), "guide", 7), (says(bad, "told"), "guide_reverse", 7)
    free = [wrong[0], right[0], none[0]]
    assert found(rows[0], free, told[0], lied[0]) == [
        judged(rows[0], kind, chosen, rejected, 1, 1, 1)
        for kind, chosen, rejected in (
            ("best_of_n", right, wrong),
            ("best_of_n_positive2unknown", right, none),
            ("preamble", told, lied),
        )
    ]
    assert found(rows[0], free, told[0], lied[0], hints=False, unknown_pairs=0) == [
        judged(rows[0], "best_of_n", right, wrong, 1, 1, 1)
    ]

    good = gold(rows[1])
    sentence = "It does as it was told. "
    long, cut = says(good, sentence * 70), says(good, (sentence * 57).strip())
    assert found(rows[1], [none[0], "", REFUSAL], long, "As you like.") == [
        judged(rows[1], "preamble2unknown", (cut, "guide", 7, True), ("As you like.", "guide_reverse", 7), 0, 0, 3)
    ]

    good, bad = gold(rows[2]), 3 - gold(rows[2])
    counts = {"judged_right": 2, "judged_wrong": 0, "judged_unknown": 1}
    for guide, reverse in ((says(bad), says(bad)), (says(good), says(good)), ("eh", "eh"), ("", says(bad))):
        lost = found(rows[2], [says(good), says(good), Reply("", "length")], guide, reverse, unknown_pairs=0)
        assert lost == Drop("no pair of judgments", counts)
    assert found(rows[2], "", "", "") == Drop("judge: no reply")
    assert found(rows[2] | {"verdict": "tie"}, "", "", "") == Drop("tie")
    assert rows == before, "no judge edits what it judges"


def scored(text: str, score: float) -> dict[str, Any]:
    return {"text": f"{text}\nScore: {score:g}", "critic": "scripted", "score": float(score), "verdict": None}


def said(critiques: list[dict[str, Any]]) -> list[str]:
    return [critique["text"] for critique in critiques]


LIKED = [scored("To the point.", 9), scored("True, if brief.", 7), scored("Sound.", 8)]
DISLIKED = [scored("A myth.", 2), scored("Not so.", 1), scored("Untrue.", 3)]


def critiqued(row: dict[str, Any], of_chosen: Any, of_rejected: Any) -> Any:
    said = ("chosen", of_chosen), ("rejected", of_rejected)
    return ran(SelfCritique(n=3), row, [(f"under review\n{row[side]['text']}\n", of) for side, of in said])[0]


def told(ours: Any, theirs: Any, means: tuple[float | None, float | None], *said: Any) -> dict[str, Any]:
    """A whole row of self-critique."""
    return {
        "chosen_critiques": ours, "rejected_critiques": theirs, "chosen_critique_score": means[0],
        "rejected_critique_score": means[1], "consistency": said[0], "noise_score": said[1],
    }  # fmt: skip


def test_critic_rm(data: Path) -> None:
    """A label borne out, one gone against, equal means, and too few scores on either side; then the gate on all.

    Means: (9 + 7 + 8) / 3 = 8 and (2 + 1 + 3) / 3 = 2. The least of the former is above the largest of the
    latter, so every resampled mean is too: noise 0, or 1 the other way round; all equal, ½.
    """
    rows = real_pairs(data, "truthfulqa.jsonl")
    before = deepcopy(rows)
    even = [scored("So so.", 5)] * 3
    few = [LIKED[0]["text"], "Well said, 9 points.", "Superb.\nScore: 11"]
    found = [
        *critiqued(rows[0], said(LIKED), said(DISLIKED)),
        *critiqued(rows[1], said(DISLIKED), said(LIKED)),
        *critiqued(rows[2], "So so.\nScore: 5", "So so.\nScore: 5"),
        *critiqued(rows[2], few, said(DISLIKED)),
        *critiqued(rows[1], said(LIKED), [REFUSAL, Reply("Good.\nScore: 9", "length"), "Good.\nScore: 9/20"]),
    ]
    assert found == [
        told(LIKED, DISLIKED, (8.0, 2.0), "agree", 0.0),
        told(DISLIKED, LIKED, (2.0, 8.0), "conflict", 1.0),
        told(even, even, (5.0, 5.0), "tie", 0.5),
        told(LIKED[:1], DISLIKED, (None, 2.0), None, None),
        told(LIKED, [], (8.0, None), None, None),
    ]
    assert critiqued(rows[0] | {"verdict": "tie"}, "", "") == Drop("tie") and rows == before
    few_words = "too few sound critiques"
    reasons = [None, "critiques conflict with the label", "critiques tie", few_words, few_words]
    table = pa.table({name: [row[name] for row in found] for name in ("consistency", "noise_score")})
    assert CritiqueConsistency().why_drop(table).to_pylist() == reasons


def merged_row(row: dict[str, Any], side: str, method: str, body: str, score: float, **own: Any) -> dict[str, Any]:
    """A whole row of merged critiques."""
    question, response = row["prompt"][0]["content"], row[side]["text"]
    text = f"{body}\nScore: {score:.0f}"
    return {
        "prompt": [message(f"{SCORED}\nQuestion:\n{question}\n\nSolution:\n{response}")], "question": question,
        "chosen": made(text, "synth.critique_merge", method, side=side, top=own.pop("top", 1)), "rejected": None,
        "verdict": None, "critique": {"text": text, "critic": "scripted", "score": score, "verdict": None},
        "response": response, "response_from": side, "merge": method, "meta_score": None, "chosen_critiques": None,
        "rejected_critiques": None,
    } | own  # fmt: skip


def test_critic_rm_merged(data: Path) -> None:
    """One critique from all; the best of them, one side without any; all as they are, and nothing to merge."""
    rows = [
        row | {"chosen_critiques": LIKED, "rejected_critiques": DISLIKED}
        for row in real_pairs(data, "truthfulqa.jsonl")
    ]
    texts = [[critique["text"].partition("\n")[0] for critique in side] for side in (LIKED, DISLIKED)]
    script: Script = [(texts[0], "True and brief.\nScore: 3"), (texts[1], "It is a myth.")]
    merged, model = ran(CritiqueMerge(), rows[0], script)
    assert merged == [
        merged_row(rows[0], "chosen", "summ", "True and brief.", 8.0),
        merged_row(rows[0], "rejected", "summ", "It is a myth.", 2.0),
    ]
    assert not any("Score:" in text for text in model.asked), "scores are the critiques' own"

    half = rows[1] | {"rejected_critiques": None}
    rate: Script = [(f"# Review\n{text}", said) for text, said in zip(texts[0], ("4", "no idea", "10"), strict=True)]
    ranked, _ = ran(CritiqueMerge(merge="rank", top=2), half, rate)
    assert ranked == [
        merged_row(rows[1], "chosen", "rank", texts[0][k], score, meta_score=rating, top=2)
        for k, score, rating in ((2, 8.0, 10.0), (0, 9.0, 4.0))
    ]
    assert ran(CritiqueMerge(merge="rank"), half, [("# Review", "no idea")])[0] == Drop("rate: unparsable")

    every, silent = ran(CritiqueMerge(merge="none", most=2), rows[2], [])
    assert silent.asked == [] and every == [
        merged_row(rows[2], side, "none", text, critique["score"])
        for side, bodies, critiques in (("chosen", texts[0], LIKED), ("rejected", texts[1], DISLIKED))
        for text, critique in list(zip(bodies, critiques, strict=True))[:2]
    ]
    assert ran(CritiqueMerge(), half | {"chosen_critiques": []}, [])[0] == Drop("no critiques")
    lost = Drop("merge: refused", {"reply": REFUSAL})
    assert ran(CritiqueMerge(), rows[2], [("# Reviews", REFUSAL)])[0] == lost


def test_pitfall_no_judge_edits_what_it_judges(data: Path) -> None:
    """What rates, scores or confirms gives columns of its own; no text it is shown is among them or altered."""
    shown = {"prompt", "images", "candidates", "chosen", "rejected", "critique", "question", "response", "verdict"}
    mapped = {"synth.self_critique", "synth.critique_marv", "synth.confirm_worse"}
    for name, stage in registry.stages().items():
        if name in mapped or name.startswith(("judge.", "score.")):
            assert not shown & {column if isinstance(column, str) else column.name for column in stage.writes}, name
    [row] = real_pairs(data, "truthfulqa.jsonl", 1)
    asked = row | {"question": row["prompt"][0]["content"], "response": "Nobody knows."}
    before = deepcopy(asked)
    script: Script = [(["You revise", row["chosen"]["text"]], "Good."), ("You revise", "Poor.")]
    script = [*script, ("# Answer\nGood", "9"), ("# Answer", "2")]
    [found], _ = ran(CritiqueMarv(), asked, script)
    assert asked == before and not shown & set(found)
