"""SCRIT, MultiCritique and MARV on three real rows each: kept, left out in part, dropped; the rows in full."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from rather.core.stage import Drop
from rather.synth.contrastive_critic import ContrastiveCritic
from rather.synth.critique_marv import CritiqueMarv
from rather.synth.critique_records import steps_of
from rather.synth.multi_critique import MultiCritique

from .scripted import Script, Scripted, made, message, ran, real_pairs, real_solutions
from .test_critics_on_real_rows import REFUSAL, about
from .test_multi_critique import CRUCIAL, LABEL, MERGE, WRITE, agents, judge, labels, revised, units

NOTES = "Take off all that is used; sell what is left."


def wrong(step: int, correction: str) -> str:
    lines = [f"Step {k}: Correct - it follows" for k in range(1, step)]
    told = [f"Step {step}: Wrong - it does not follow", "Conclusion: wrong", "Corrected solution:", correction]
    return "\n".join([*lines, *told])


def fine(row: dict[str, Any], side: str) -> str:
    steps = range(1, len(steps_of(row[side]["text"])) + 1)
    return "\n".join([*(f"Step {k}: Correct - it follows" for k in steps), "Conclusion: right"])


def scrit_row(
    row: dict[str, Any], side: str, text: str, labels: list[bool | None], ok: bool, valid: tuple[bool, bool], **own: Any
) -> dict[str, Any]:
    said = "right" if own["first_error_step"] is None else "wrong"
    return about(row, side) | {
        "chosen": made(text, "synth.contrastive_critic", "contrastive", of="pair", temperature=0.7),
        "critique": {"text": text, "critic": "scripted", "score": None, "verdict": said}, "critique_verdict": said,
        "steps": [{"text": t, "label": v} for t, v in zip(steps_of(row[side]["text"]), labels, strict=True)],
        "verdict_ok": ok, "reference_analysis": NOTES, "valid_answer": valid[0], "valid_check": valid[1],
    } | own  # fmt: skip


def scrit_script(row: dict[str, Any], of_chosen: str, of_rejected: str, *checks: tuple[str, str]) -> Script:
    """Notes, critiques of both solutions, and what a check of a solution with such words says."""
    firsts = [f"Step 1: {row[side]['text'].splitlines()[0]}\n" for side in ("chosen", "rejected")]
    told: list[Any] = [(["free of errors", words], said) for words, said in checks]
    return [*told, ("# Solved", NOTES), (firsts[0], of_chosen), (firsts[1], of_rejected)]


def test_scrit(data: Path) -> None:
    """Both corrections hold; none does, kept all the same on request; both critiques unsound, and no notes."""
    stage, rows = ContrastiveCritic(of="pair"), real_solutions(data)
    whole = {"correction": None, "corrected_answer": None, "steps_changed": None, "first_error_step": None}
    mended = "She eats 3 and bakes 4.\n" + rows[0]["chosen"]["text"].partition("\n")[2]
    approved, corrected = fine(rows[0], "chosen"), wrong(1, mended)
    found, model = ran(stage, rows[0], scrit_script(rows[0], f"{approved}\n[END]", corrected, ("", "yes")))
    assert found == [
        scrit_row(rows[0], "chosen", approved, [True] * 4, True, (True, True), **whole),
        scrit_row(rows[0], "rejected", corrected, [False, None, None], True, (True, True), first_error_step=1,
                  correction=mended, corrected_answer="18", steps_changed=1.0),
    ]  # fmt: skip
    assert len(model.asked) == stage.calls_a_row() == 5

    start = rows[1]["chosen"]["text"].rpartition("\n")[0]
    worse, better = wrong(4, f"{start}\nA: 30"), wrong(2, rows[1]["chosen"]["text"])
    script = scrit_script(rows[1], worse, better, ("A: 30", "yes"), ("A: 20", "no"))
    assert ran(stage, rows[1], script)[0] == Drop("correction: another result")
    kept, _ = ran(ContrastiveCritic(of="pair", keep_invalid=True), rows[1], script)
    assert kept == [
        scrit_row(rows[1], "chosen", worse, [True] * 3 + [False], False, (False, True), first_error_step=4,
                  correction=f"{start}\nA: 30", corrected_answer="30", steps_changed=0.25),
        scrit_row(rows[1], "rejected", better, [True, False, None, None, None], True, (True, False),
                  first_error_step=2, correction=rows[1]["chosen"]["text"], corrected_answer="20", steps_changed=1.0),
    ]  # fmt: skip
    only = rows[1] | {"chosen": rows[1]["rejected"]}
    assert ran(ContrastiveCritic(), only, script)[0] == Drop("correction: the check finds an error")

    telling = fine(rows[2], "chosen").replace("it follows", "as in the reference solution", 1)
    told = scrit_script(rows[2], telling, "It is wrong.", ("", "yes"))
    assert ran(stage, rows[2], told)[0] == Drop("critique: tells of the reference")
    unread = rows[2] | {"chosen": rows[2]["rejected"]}
    assert ran(ContrastiveCritic(), unread, told)[0] == Drop(
        "critique: unparsable", {"reply": "no conclusion: It is wrong."}
    )
    unsure = scrit_script(rows[2], fine(rows[2], "chosen"), "", ("", "perhaps"))
    lost, _ = ran(stage, rows[2], unsure)
    assert isinstance(lost, Drop) and lost.reason == "check: unparsable"
    assert ran(stage, rows[2], [("# Solved", REFUSAL)])[0] == Drop("study: refused", {"reply": REFUSAL})
    assert ran(stage, rows[2] | {"reference": " "}, [])[0] == Drop("no reference")


SCORED = (
    "Read the question and the solution below. Say what is good and what is bad about the solution, and end with the "
    'line "Score: " and a whole number from 1 to 10.'
)
AGENTS = MultiCritique(agents=("first", "second"), of="pair")


def flaw(text: str, quote: str, severity: int, instead: str = "") -> dict[str, Any]:
    return {"criterion": "truth", "quote": quote, "flaw": text, "severity": severity, "suggestion": instead}


def unit(told: dict[str, Any], agent: str, label: str) -> dict[str, Any]:
    return told | {"severity": float(told["severity"]), "agent": agent, "meta_label": label}


def review_row(row: dict[str, Any], side: str, text: str, score: float, agents: dict[str, str], **own: Any) -> Any:
    """A whole row of a merged critique; `agents` are the critiques each wrote."""
    question, response = row["prompt"][0]["content"], row[side]["text"]
    return about(row, side) | {
        "prompt": [message(f"{SCORED}\nQuestion:\n{question}\n\nSolution:\n{response}")],
        "chosen": made(text, "synth.multi_critique", "merge", agents=["first", "second"], n=1),
        "candidates": [made(t, "synth.multi_critique", "agent", by=a, temperature=0.7) for a, t in agents.items()],
        "critique": {"text": text, "critic": "scripted", "score": score, "verdict": None},
        "task_description": "Name one.", "criteria": [{"name": "truth", "details": ["is a prime"]}],
        "reference_response": "Three.", "agents": list(agents), "agents_kin": 0, "agent_units": [], "units": [],
        "spans": [], "quotes_lost": 0,
    } | own  # fmt: skip


def merged(score: int, text: str, *keep: int) -> str:
    return json.dumps({"critique": text, "score": score} | ({"keep": keep} if keep else {}))


def test_multi_critique(data: Path) -> None:
    """Flaws that hold and one that does not; an agent unread and all flaws false; labels unread and no agent read."""
    rows = real_pairs(data, "llmbar.jsonl")
    before = deepcopy(rows)
    words = rows[0]["chosen"]["text"][:14]
    grave, small, odd = flaw("not said", words, 3, "say it"), flaw("too brief", "not there", 1), flaw("a name", "", 2)
    text = f'1. truth (minor). At "not there": too brief\n2. truth (fatal). At "{words}": not said Instead: say it'
    only = MultiCritique(agents=("first", "second"))
    script = judge(labels("correct", "correct", "no_flaw"), merged(4, "Not said. Too brief.", 1, 2, 1))
    found, _ = ran(only, rows[0], script, **agents(units(small, grave), units(odd)))
    by_first = [unit(small, "first", "correct"), unit(grave, "first", "correct")]
    both = {"first": "1. truth (serious). a name"}
    assert found == [review_row(
        rows[0], "chosen", "Not said. Too brief.\nScore: 4", 4.0, {"first": text, "second": both["first"]},
        agent_quality=[4.0, -2.0], agent_units=[*by_first, unit(odd, "second", "no_flaw")], units=by_first[::-1],
        spans=[{"start": 0, "end": 14, "kind": "truth", "severity": 3.0, "comment": "not said"}], quotes_lost=1,
    )]  # fmt: skip

    script = judge(labels("no_flaw"), merged(9, "Short and true."))
    found, _ = ran(AGENTS, rows[1], script, **agents(units(odd), "All good."))
    false = {"agent_quality": [-2.0], "agent_units": [unit(odd, "first", "no_flaw")]}
    praise = "Short and true.\nScore: 9"
    assert found == [review_row(rows[1], side, praise, 9.0, both, **false) for side in ("chosen", "rejected")]

    some: Script = [
        (WRITE, CRUCIAL), ([LABEL, rows[2]["chosen"]["text"]], labels("odd")), (LABEL, labels("trivial")),
        (MERGE, merged(6, "It will do.")),
    ]  # fmt: skip
    found, _ = ran(AGENTS, rows[2], some, **agents(units(small), units()))
    none = {"first": text.splitlines()[0], "second": "No flaw was found."}
    assert found == [review_row(
        rows[2], "rejected", "It will do.\nScore: 6", 6.0, none, agent_quality=[-1.0, 0.0],
        agent_units=[unit(small, "first", "trivial")],
    )]  # fmt: skip
    lost, _ = ran(AGENTS, rows[2], some, **agents("?", REFUSAL))
    assert lost == Drop("critique: no agent's reply can be read")
    unkept = judge(labels("correct"), json.dumps({"keep": [], "critique": "So so.", "score": 6}))
    assert ran(only, rows[2], unkept, **agents(units(small), units()))[0] == Drop("merge: no flaw kept")
    assert ran(AGENTS, rows[2], [(WRITE, REFUSAL)], **agents("", ""))[0] == Drop("crucial: refused", {"reply": REFUSAL})
    assert rows == before, "no judge edits what it judges"


def test_marv(data: Path) -> None:
    """A pair borne out by one of two revisers; one by neither; one that no critique was needed for."""
    stage = CritiqueMarv(revisers=("a", "b"))

    def found(k: int, first: tuple[int, int, int], second: tuple[int, int, int], stage: CritiqueMarv = stage) -> Any:
        """Revisions rated so under the better critique, the worse one and none; 0 has no rating."""
        pair = rows[k] | {"chosen": {"text": "Four is even."}, "rejected": {"text": "Too short."}}
        about = {"question": rows[k]["prompt"][0]["content"], "response": rows[k]["rejected"]["text"]}
        revisers = {
            name: Scripted(revised(*(f"revision {n}" if n else "unrated" for n in rated)), name)
            for name, rated in (("a", first), ("b", second))
        }
        return ran(stage, pair | about, revised("", "", "")[3:], **revisers)[0]

    def told(chosen: float, rejected: float, control: float, n: int = 2) -> dict[str, Any]:
        scores = {"rev_score_chosen": chosen, "rev_score_rejected": rejected, "rev_score_control": control}
        return scores | {"n_revisers": n, "revisers_kin": 0}

    rows = real_pairs(data, "llmbar.jsonl")
    assert found(0, (9, 4, 6), (8, 5, 4)) == [told(8.5, 4.5, 5.0)]
    assert found(0, (9, 4, 6), (0, 5, 4)) == [told(9.0, 4.0, 6.0, 1)]
    assert found(1, (3, 8, 2), (4, 7, 2)) == Drop("the worse critique helps more", told(3.5, 7.5, 2.0))
    assert found(1, (8, 7, 2), (7, 7, 2)) == Drop("revisions differ too little", told(7.5, 7.0, 2.0))
    assert found(2, (8, 4, 9), (8, 4, 8)) == Drop("no better than without a critique", told(8.0, 4.0, 8.5))
    spared = CritiqueMarv(revisers=("a", "b"), beat_control=False)
    assert found(2, (8, 4, 9), (8, 4, 8), spared) == [told(8.0, 4.0, 8.5)]
    unrated = (0, 4, 9)
    assert found(2, unrated, unrated) == Drop("no reviser with all revisions rated")
    assert ran(stage, rows[2] | {"question": "", "response": "Four."}, [])[0] == Drop("no response under critique")
