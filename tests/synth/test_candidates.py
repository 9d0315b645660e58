"""Several answers a prompt, what a verifier keeps of them, and worse answers of weaker models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from rather.core.errors import CallError
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.synth.candidates import Candidates
from rather.synth.verify_keep import VerifyKeep
from rather.synth.weaker_model import WeakerModel

from .scripted import Scripted, ran, real_pairs, row_of

ROW = row_of("What is 6 times 7?")


def said(*texts: str | None) -> list[dict[str, Any] | None]:
    return [None if text is None else {"text": text} for text in texts]


def test_the_candidates_in_full() -> None:
    stage = Candidates(samples=2, grid=({"temperature": 0.2}, {"temperature": 1.0, "top_p": 0.9}))
    found, model = ran(stage, ROW, [("6 times 7", ["42", "It is 42."])])
    params = '{"max_tokens":1024,"persona":null,"temperature":0.2,"top_p":null}'
    origin = {"stage": "synth.candidates", "method": "sample", "params": params, "model": "scripted"}
    first = {"text": "42", "turns": None, "image": None, "model": "scripted", "made_by": origin | {"seed": 7}}
    second = first | {"text": "It is 42.", "made_by": origin | {"seed": 8}}
    assert found == [{"candidates": [first, second], "candidates_lost": 0, "candidates_repeated": 2}]
    assert len(model.asked) == 4 == stage.calls_a_row()


def test_a_request_says_what_the_setting_says() -> None:
    class Heard:
        name, requests = "heard", list[Any]()

        async def ask(self, request: Any, attempt: int = 0) -> Reply:
            self.requests.append(request)
            return Reply(f"answer {len(self.requests)}")

    ran(Candidates(samples=1, grid=({"temperature": 1.0, "top_p": 0.9},), least=1), ROW, [], writer=Heard())
    [request] = Heard.requests
    assert request == {
        "messages": [{"role": "user", "content": "What is 6 times 7?"}],
        "temperature": 1.0, "max_tokens": 1024, "top_p": 0.9, "seed": 7,
    }  # fmt: skip


def test_every_model_and_persona_answers() -> None:
    stage = Candidates(writers=("writer", "other"), samples=1, personas=("You are a pirate.", "You are a judge."))
    row = row_of("What is 6 times 7?")
    row["prompt"].insert(0, {"role": "system", "content": "Be brief."})
    other = Scripted([("pirate", "Arr, 42."), ("judge", "The court finds 42.")], "other")
    found, writer = ran(stage, row, [("pirate", "42, matey."), ("judge", "42, so ordered.")], other=other)
    texts = [one["text"] for one in found[0]["candidates"]]
    assert texts == ["42, matey.", "42, so ordered.", "Arr, 42.", "The court finds 42."]
    assert [one["model"] for one in found[0]["candidates"]] == ["scripted"] * 2 + ["other"] * 2
    assert json.loads(found[0]["candidates"][0]["made_by"]["params"])["persona"] == "You are a pirate."
    assert all("Be brief." in text and "as this person would" in text for text in writer.asked)
    assert stage.calls_a_row() == 4


def test_what_is_no_answer_is_left_out_and_counted() -> None:
    row = ROW | {"candidates": said("42", None)}
    replies = ["42", Reply("It is f", "length"), "", "I'm sorry, I can't help with that.", "Forty-two."]
    found, _ = ran(Candidates(samples=5), row, [("6 times 7", replies)])
    refused = "I'm sorry, I can't help with that."
    assert [one["text"] for one in found[0]["candidates"]] == ["42", refused, "Forty-two."]
    assert (found[0]["candidates_lost"], found[0]["candidates_repeated"]) == (2, 1)
    strict, _ = ran(Candidates(samples=5, refusals="leave_out", repeats="keep"), row, [("6 times 7", replies)])
    assert [one["text"] for one in strict[0]["candidates"]] == ["42", "42", "Forty-two."]
    assert strict[0]["candidates_lost"] == 3


def test_too_few_answers_are_a_stated_reason() -> None:
    found, _ = ran(Candidates(samples=2), ROW, [("6 times 7", "42")])
    assert found == Drop("too few answers", {"answers": 1, "lost": 0, "repeated": 1})
    empty, _ = ran(Candidates(), ROW | {"prompt": []}, [])
    assert empty == Drop("no prompt")


def test_a_failed_call_is_no_lost_answer() -> None:
    with pytest.raises(CallError, match="down"):
        ran(Candidates(samples=1), ROW, [("6 times 7", CallError("down"))])


def test_bad_settings_are_told() -> None:
    with pytest.raises(ValidationError, match="top_p"):
        Candidates(grid=({"top_p": 1.5},))
    with pytest.raises(ValidationError, match="heat"):
        Candidates(grid=({"heat": 1},))
    assert Candidates(prompts="candidate").faults()


KEPT = row_of("What is 6 times 7?", reference="42", candidates=said("42", "It is 42", "41", "a longer 43", "?", None))


def test_right_answers_are_kept_with_their_rate() -> None:
    found, model = ran(VerifyKeep(verifier="number"), KEPT, [])
    counts = {"n_right": 2, "n_wrong": 2, "n_unreadable": 1, "right_rate": 0.5}
    assert sorted(row["chosen"]["text"] for row in found) == ["42", "It is 42"]
    assert all(row == counts | {"chosen": row["chosen"], "rejected": None, "verdict": None} for row in found)
    assert model.asked == []


def test_easy_prompts_do_not_fill_the_set() -> None:
    """Pitfall: without the cap of 10, prompts that are always solved dominate; which stay is chance, not order."""
    row = KEPT | {"candidates": said(*(f"{'so ' * k}42" for k in range(40)))}
    found, _ = ran(VerifyKeep(verifier="number"), row, [])
    assert len(found) == 10 and found[0]["n_right"] == 40
    lengths = [len(one["chosen"]["text"]) for one in found]
    assert max(lengths) > 60 and ran(VerifyKeep(verifier="number"), row, [])[0] == found


def test_pairs_are_matched_on_length() -> None:
    candidates = said("42", "a good deal of talk and then 42", "41", "no little talk and then some 40")
    found, _ = ran(VerifyKeep(verifier="number", emit="pairs"), KEPT | {"candidates": candidates}, [])
    pairs = {(row["chosen"]["text"], row["rejected"]["text"], row["verdict"]) for row in found}
    assert pairs == {
        ("42", "41", "prefer"),
        ("a good deal of talk and then 42", "no little talk and then some 40", "prefer"),
    }


def test_a_repeated_answer_counts_once() -> None:
    found, _ = ran(VerifyKeep(verifier="number"), KEPT | {"candidates": said("42", "42", "41")}, [])
    assert len(found) == 1 and found[0]["right_rate"] == 0.5


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"candidates": said("41", "?")}, Drop("no right answer", {"n_right": 0, "n_wrong": 1, "n_unreadable": 1})),
        ({"candidates": said("42", "?")}, Drop("no wrong answer", {"n_right": 1, "n_wrong": 0, "n_unreadable": 1})),
        ({"candidates": said(None)}, Drop("no candidates")),
        ({"reference": None}, Drop("no reference")),
    ],
)
def test_reasons(changed: dict[str, Any], reason: Drop) -> None:
    """Pitfall: prompts with no right answer vanish; they must be counted, under a reason of their own."""
    found, _ = ran(VerifyKeep(verifier="number", emit="pairs"), KEPT | changed, [])
    assert found == reason


def test_a_verifier_that_cannot_work_is_a_fault() -> None:
    assert "no regular expression" in VerifyKeep(verifier={"by": "pattern", "pattern": "("}).faults()[0]
    assert VerifyKeep(verifier={"by": "pattern", "pattern": "a"}).columns_read() == ("candidates", "reference?")
    assert VerifyKeep(reference="gold_answer").columns_read() == ("candidates", "gold_answer")


def test_a_weaker_answer_is_rejected() -> None:
    weak = Scripted([("6 times 7", "Maybe 40?")], "weak")
    row = row_of("What is 6 times 7?", chosen="42")
    [found], _ = ran(WeakerModel(), row, [], weak=weak)
    assert found["chosen"] == {"text": "42"} and found["verdict"] == "prefer"
    assert found["rejected"] == {
        "text": "Maybe 40?", "turns": None, "image": None, "model": "weak",
        "made_by": {"stage": "synth.weaker_model", "method": "weaker", "model": "weak", "seed": 7,
                    "params": '{"max_tokens":1024,"strength":"clear","temperature":1.0,"top_p":null}'},
    }  # fmt: skip
    assert len(weak.asked) == 1 == WeakerModel().calls_a_row()


def test_the_better_answer_may_be_written_too() -> None:
    stage = WeakerModel(writer="writer")
    weak = Scripted([("6 times 7", "40")], "weak")
    [found], writer = ran(stage, ROW, [("6 times 7", "42")], weak=weak)
    assert (found["chosen"]["text"], found["rejected"]["text"]) == ("42", "40")
    assert found["chosen"]["made_by"]["method"] == "stronger" and found["chosen"]["model"] == "scripted"
    assert len(writer.asked + weak.asked) == 2 == stage.calls_a_row()
    same, _ = ran(stage, ROW, [("6 times 7", " 40 ")], weak=weak)
    assert same == Drop("both answers are the same")
    refused, _ = ran(stage, ROW, [("6 times 7", "I cannot help.")], weak=weak)
    assert refused.reason == "chosen: refused"


def test_fewer_tokens_make_a_worse_answer_only_where_that_is_wished() -> None:
    weak = Scripted([("6 times 7", Reply("Six times sev", "length"))], "weak")
    row = row_of("What is 6 times 7?", chosen="42")
    found, _ = ran(WeakerModel(max_tokens=4), row, [], weak=weak)
    assert found == Drop("rejected: truncated", {"reply": "nothing was said"})
    [kept], _ = ran(WeakerModel(max_tokens=4, cut_off="keep"), row, [], weak=weak)
    assert kept["rejected"]["text"] == "Six times sev"
    none, _ = ran(WeakerModel(), row_of("What?", chosen=" "), [], weak=weak)
    assert none == Drop("no chosen answer")


def test_real_solutions_are_paired(data: Path) -> None:
    for row in real_pairs(data, "gsm8k_solutions.jsonl.gz", 12):
        answers = said(row["chosen"]["text"], row["rejected"]["text"])
        found, _ = ran(
            VerifyKeep(verifier="number", emit="pairs"),
            row | {"reference": answers[0]["text"], "candidates": answers},
            [],
        )
        assert [(one["chosen"], one["rejected"]) for one in found] == [tuple(answers)]
