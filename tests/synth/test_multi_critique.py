"""MultiCritique: several critics, labelled flaws, one merged critique; pairs of critiques borne out by revisions."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from rather.core.errors import CallError
from rather.core.stage import Drop
from rather.synth.critique_agents import net_severity
from rather.synth.critique_marv import CritiqueMarv
from rather.synth.critique_units import Unit
from rather.synth.kin import family
from rather.synth.multi_critique import MultiCritique

from .scripted import Script, Scripted, ran, row_of

RESPONSE = "Four is a prime."
ROW = row_of("Name a prime.", chosen=RESPONSE)
CRUCIAL = json.dumps(
    {"task": "Name one.", "criteria": [{"name": "truth", "details": ["is a prime"]}], "reference": "Three."}
)
A_FLAW = {"criterion": "truth", "quote": "Four", "flaw": "it is two times two", "severity": 3, "suggestion": "Three"}
A_TRIFLE = {"criterion": "form", "quote": "a prime", "flaw": "too long", "severity": 1, "suggestion": ""}
NO_FLAW = {"criterion": "form", "quote": ".", "flaw": "a full stop", "severity": 2, "suggestion": "none"}
WRITE, LIST, LABEL, MERGE = "You prepare the review", "You review responses", "You review reviews", "You are an editor"
STAGE = MultiCritique(agents=("first", "second"))


def units(*flaws: dict[str, Any]) -> str:
    return json.dumps({"units": flaws})


def labels(*words: str) -> str:
    return json.dumps({str(k): word for k, word in enumerate(words, 1)})


def merge(keep: list[int], score: int, text: str = "Four is two times two.") -> str:
    return json.dumps({"keep": keep, "critique": text, "score": score})


def agents(first: str, second: str) -> dict[str, Scripted]:
    return {"first": Scripted([(LIST, first)], "first"), "second": Scripted([(LIST, second)], "second")}


def judge(label: str, merged: str) -> Script:
    return [(WRITE, CRUCIAL), (LABEL, label), (MERGE, merged)]


def test_faulty_flaws_go_and_the_rest_becomes_one_critique() -> None:
    models = agents(units(A_TRIFLE, A_FLAW), units(NO_FLAW, A_FLAW))
    script = judge(labels("trivial", "correct", "no_flaw", "correct"), merge([2, 2], 2))
    [row], model = ran(STAGE, ROW, script, **models)
    text = "Four is two times two.\nScore: 2"
    assert row["chosen"]["text"] == text and row["chosen"]["made_by"]["method"] == "merge"
    assert row["critique"] == {"text": text, "critic": "scripted", "score": 2.0, "verdict": None}
    assert row["spans"] == [{"start": 0, "end": 4, "kind": "truth", "severity": 3.0, "comment": "it is two times two"}]
    assert [unit["agent"] for unit in row["units"]] == ["second"] and row["quotes_lost"] == 0
    assert row["agents"] == ["first", "second"] and row["agent_quality"] == [2.0, 1.0]
    assert [unit["meta_label"] for unit in row["agent_units"]] == ["trivial", "correct", "no_flaw", "correct"]
    assert [c["model"] for c in row["candidates"]] == ["first", "second"]
    assert row["candidates"][1]["text"].startswith("1. form (serious).")
    assert (row["task_description"], row["reference_response"]) == ("Name one.", "Three.")
    assert row["criteria"] == [{"name": "truth", "details": ["is a prime"]}]
    assert row["question"] == "Name a prime." and row["response"] == RESPONSE
    assert len(model.asked) + sum(len(m.asked) for m in models.values()) == STAGE.calls_a_row() == 5


def test_the_crucial_information_stands_in_every_later_prompt_and_is_paid_for_once() -> None:
    stage = MultiCritique(agents=("first", "second"), of="pair")
    models = agents(units(A_FLAW), units())
    script = judge(labels("correct"), merge([1], 2))
    found, model = ran(stage, ROW | {"rejected": {"text": "Four or six."}}, script, **models)
    assert [row["response_from"] for row in found] == ["chosen", "rejected"]
    written = [text for text in model.asked if WRITE in text]
    assert len(written) == 1 and RESPONSE not in written[0], "it is about the prompt alone"
    later = [text for text in [*model.asked, *models["first"].asked] if WRITE not in text]
    assert len(later) == 6 and all("Name one." in text and "Three." in text for text in later)
    assert not any("# A good response" in row["prompt"][0]["content"] for row in found)


def test_a_response_without_flaws_is_praised() -> None:
    models = agents(units(), units())
    [row], model = ran(STAGE, ROW, judge("never asked", merge([], 9, "Short and true.")), **models)
    assert row["chosen"]["text"] == "Short and true.\nScore: 9" and row["spans"] == [] and row["units"] == []
    assert not any(LABEL in text for text in model.asked) and row["agent_quality"] == [0.0, 0.0]
    assert [c["text"] for c in row["candidates"]] == ["No flaw was found."] * 2


def test_an_agent_that_cannot_be_read_is_left_out() -> None:
    script = judge(labels("correct"), merge([1], 2))
    [row], _ = ran(STAGE, ROW, script, **agents(units(A_FLAW), "All good?"))
    assert row["agents"] == ["first"] and row["agent_quality"] == [3.0]
    lost, _ = ran(STAGE, ROW, script, **agents("?", "{}"))
    assert lost == Drop("critique: no agent's reply can be read")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ([(WRITE, "no JSON at all")], "crucial: unparsable"),
        (judge(labels("odd"), merge([1], 2)), "classify: unparsable"),
        (judge(labels("correct"), merge([], 2)), "merge: no flaw kept"),
        (judge(labels("correct"), merge([1], 11)), "merge: off_scale"),
        (judge(labels("correct"), "I'm sorry, I can't help with that."), "merge: refused"),
    ],
)
def test_replies_of_the_judge_that_are_none(script: Script, reason: str) -> None:
    found, _ = ran(STAGE, ROW, script, **agents(units(A_FLAW), units()))
    assert isinstance(found, Drop) and found.reason == reason


@pytest.mark.parametrize(
    ("name", "kin"),
    [
        ("openai Qwen/Qwen2.5-72B-Instruct", "qwen"),
        ("qwen-max", "qwen"),
        ("gpt-4o", "gpt"),
        ("anthropic claude-3-5-haiku", "claude"),
        ("01-ai/Yi-34B", "yi"),
        ("7b", "7b"),
        ("", ""),
    ],
)
def test_a_family_is_told_by_the_letters_a_name_begins_with(name: str, kin: str) -> None:
    assert family(name) == kin


def test_pitfall_a_judge_of_the_agents_family_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    names = {"first": "openai Qwen/Qwen2.5-7B", "second": "openai mistral-small"}
    lists = {"first": units(A_FLAW), "second": units()}
    models = {nick: Scripted([(LIST, lists[nick]), *revised(*["revision 8"] * 3)], names[nick]) for nick in names}
    judge_ = Scripted([*judge(labels("correct"), merge([1], 2)), *revised("", "", "")[3:]], "openai qwen-max")
    with caplog.at_level(logging.WARNING, "rather.synth"):
        found = [ran(STAGE, ROW, [], **models, judge=judge_)[0][0] for _ in range(2)]
        lost, _ = ran(CritiqueMarv(revisers=("first", "second")), PAIR, [], **models, judge=judge_)
    assert [row["agents_kin"] for row in found] == [1, 1] and lost.values["revisers_kin"] == 1
    told = "the judge openai qwen-max is of one family with openai Qwen/Qwen2.5-7B"
    assert [record.message.split(": ")[:2] for record in caplog.records] == [
        ["synth.multi_critique", told],
        ["synth.critique_marv", told],
    ], "once a stage, and nothing of the other maker's model"


def test_a_failed_call_is_no_reason_to_drop() -> None:
    with pytest.raises(CallError):
        ran(STAGE, ROW, [(WRITE, CallError("down"))], **agents(units(), units()))


def test_what_a_critique_is_worth_among_others() -> None:
    flaws = [Unit("a", "", "b", 3.0, "", meta_label="correct"), Unit("a", "", "b", 1.0, "", meta_label="trivial")]
    assert net_severity(flaws) == 2.0 and net_severity(flaws[1:]) == -1.0 and net_severity([]) == 0.0


PAIR = row_of("critic's prompt", chosen="Four is even.", rejected="Too short.") | {
    "question": "Name a prime.", "response": RESPONSE,
}  # fmt: skip
GOOD, BAD, NONE = "Four is even.\n\nWrite", "Too short.\n\nWrite", "as good as you can"


def revised(by_good: str, by_bad: str, by_none: str) -> Script:
    """Revisions by critique, and a judge whose rating stands in the revision."""
    rated = [(f"# Answer\nrevision {k}\n", str(k)) for k in range(1, 11)]
    return [(GOOD, by_good), (BAD, by_bad), (NONE, by_none), *rated, ("# Answer\nunrated", "hm")]


def test_a_pair_of_critiques_is_borne_out_by_revisions() -> None:
    models = {name: Scripted(revised(*said), name) for name, said in {
        "small": ("revision 8", "revision 4", "revision 5"), "large": ("revision 9", "revision 9", "revision 7"),
    }.items()}  # fmt: skip
    stage = CritiqueMarv(revisers=("small", "large"))
    [row], judge_ = ran(stage, PAIR, revised("", "", ""), **models)
    scores = {"rev_score_chosen": 8.5, "rev_score_rejected": 6.5, "rev_score_control": 6.0}
    assert row == scores | {"n_revisers": 2, "revisers_kin": 0}
    asked = len(judge_.asked) + sum(len(m.asked) for m in models.values())
    assert stage.calls_a_row() == 12 and asked == 11, "equal revisions are rated once"
    assert all("# Remarks" not in text for text in models["small"].asked if NONE in text)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (("revision 8", "revision 8", "revision 2"), "revisions differ too little"),
        (("revision 3", "revision 8", "revision 2"), "the worse critique helps more"),
        (("unrated", "revision 8", "revision 2"), "no reviser with all revisions rated"),
        (("", "revision 8", "revision 2"), "no reviser with all revisions rated"),
    ],
)
def test_pairs_that_revisions_do_not_bear_out(said: tuple[str, str, str], reason: str) -> None:
    found, _ = ran(CritiqueMarv(), PAIR, revised(*said))
    assert isinstance(found, Drop) and found.reason == reason


def test_pitfall_a_revision_may_be_better_without_a_critique() -> None:
    """8 points under the better critique, 4 under the worse: a gap of 4, and yet 9 points without any."""
    better_alone = revised("revision 8", "revision 4", "revision 9")
    found, _ = ran(CritiqueMarv(), PAIR, better_alone)
    assert isinstance(found, Drop) and found.reason == "no better than without a critique"
    assert ran(CritiqueMarv(beat_control=False), PAIR, better_alone)[0][0]["rev_score_control"] == 9.0


def test_the_gap_is_an_option() -> None:
    close, _ = ran(CritiqueMarv(least_gap=1.0), PAIR, revised("revision 8", "revision 7", "revision 2"))
    assert isinstance(close, Drop) and close.values and close.values["rev_score_chosen"] == 8.0
    assert ran(CritiqueMarv(), PAIR | {"response": None}, [])[0] == Drop("no response under critique")


def test_a_reviser_that_fails_does_not_count() -> None:
    whole = Scripted(revised("revision 8", "revision 4", "revision 5"), "whole")
    broken = Scripted(revised("revision 1", "", "revision 9"), "broken")
    stage = CritiqueMarv(revisers=("whole", "broken"))
    [row], _ = ran(stage, PAIR, revised("", "", ""), whole=whole, broken=broken)
    assert row["n_revisers"] == 1 and row["rev_score_chosen"] == 8.0
