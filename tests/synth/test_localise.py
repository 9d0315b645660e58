"""CUT: where the flaw stands, the three training views, and how many rows of each."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rather.core.stage import Drop
from rather.models.causal_lm import CausalLMSpec, Tokens
from rather.models.fake_scorers import FakeCausalLMSpec
from rather.models.talks import Talk
from rather.synth.critique_views import CritiqueViews
from rather.synth.localise import Localise, likelier_spans

from ..judges import FakeContext, pairs
from .scripted import ran, row_of

RESPONSE = "The answer is 26 eggs."
JUDGMENT = "The muffins are forgotten."


class Lm:
    """Words as tokens; a chance of one half, or what is told for a word once a judgment is read."""

    def __init__(self, told: dict[str, float], other_tokens: bool = False) -> None:
        self.told, self.other_tokens, self.prompts = told, other_tokens, list[Talk]()

    def tokens(self, prompts: list[Talk], answers: list[Talk]) -> list[Tokens | None]:
        self.prompts += prompts
        return [self._one(p[-1]["content"], a[-1]["content"]) for p, a in zip(prompts, answers, strict=True)]

    def _one(self, asked: str, said: str) -> Tokens | None:
        words = said.split()
        if len(words) > 20:
            return None
        seen = "Judgment:" in asked
        ids = tuple(len(word) + (self.other_tokens and seen) for word in words)
        starts = np.cumsum([0, *(len(word) + 1 for word in words[:-1])])
        places = np.stack([starts, starts + [len(word) for word in words]], axis=1)
        chances = [self.told.get(word, 0.5) if seen else 0.5 for word in words]
        return Tokens(ids, places, np.log(chances))


def localised(lm: Any, judgments: list[Any], responses: list[str], **options: Any) -> dict[str, list[Any]]:
    rows = pairs(*(("How many?", response, None) for response in responses), critique=judgments)
    found = Localise(model="lm", **options).score(rows, FakeContext({"lm": lm}))
    return {name: column.to_pylist() for name, column in found.items()}


def critique(text: str | None) -> dict[str, Any]:
    return {"text": text, "critic": None, "score": None, "verdict": None}


def test_tokens_that_the_judgment_makes_likelier() -> None:
    lm = Lm({"26": 0.8, "eggs.": 0.6, "The": 0.54})
    found = localised(lm, [critique(JUDGMENT)], [RESPONSE])
    assert found["spans"] == [
        [{"start": 14, "end": 22, "kind": "likelier", "severity": pytest.approx(1.6), "comment": None}]
    ]
    assert RESPONSE[14:22] == "26 eggs." and found["flagged_share"] == [0.4] and found["localise_outcome"] == ["ok"]
    judged, plain = lm.prompts
    assert JUDGMENT in judged[0]["content"] and plain[0]["content"] == "How many?"


def test_the_threshold_is_a_ratio() -> None:
    lm = Lm({"26": 0.8, "The": 0.58})
    assert len(localised(lm, [critique(JUDGMENT)], [RESPONSE])["spans"][0]) == 2
    assert len(localised(lm, [critique(JUDGMENT)], [RESPONSE], threshold=1.2)["spans"][0]) == 1
    assert localised(lm, [critique(JUDGMENT)], [RESPONSE], threshold=2.0)["spans"] == [[]]


def test_pitfall_a_judgment_of_an_omission_gives_no_span() -> None:
    """No word of the response becomes likelier by it: an empty list, which is not the null of what was not read."""
    found = localised(Lm({}), [critique(JUDGMENT)], [RESPONSE])
    assert found == {"spans": [[]], "flagged_share": [0.0], "localise_outcome": ["ok"]}


def test_pitfall_a_judgment_that_quotes_raises_what_it_quotes() -> None:
    found = localised(Lm({"26": 0.9}), [critique("It says 26.")], [RESPONSE])
    assert [span["kind"] for span in found["spans"][0]] == ["quoted"]


def test_pitfall_tokens_must_stand_in_the_same_places() -> None:
    found = localised(Lm({"26": 0.9}, other_tokens=True), [critique(JUDGMENT)], [RESPONSE])
    assert found["localise_outcome"] == ["misaligned"] and found["spans"] == [None] == found["flagged_share"]


def test_pitfall_tokens_are_marked_for_any_judgment_so_there_is_a_control() -> None:
    lm, judgments = Lm({"26": 0.9}), [None, critique(" "), critique(JUDGMENT)]
    responses = [RESPONSE, RESPONSE, "word " * 30]
    found = localised(lm, judgments, responses)
    assert found["localise_outcome"] == ["no judgment", "no judgment", "truncated"]
    assert found["spans"] == [None] * 3
    control = localised(lm, judgments, responses, control="The response is satisfactory.")
    assert control["localise_outcome"][:2] == ["ok", "ok"] and control["flagged_share"][:2] == [0.2, 0.2]


def test_judgments_may_be_plain_texts() -> None:
    rows = pairs(("How many?", RESPONSE, None), judgment=[JUDGMENT])
    found = Localise(model="lm", judgment="judgment").score(rows, FakeContext({"lm": Lm({"26": 0.9})}))
    assert len(found["spans"].to_pylist()[0]) == 1


def test_runs_of_tokens_become_spans_by_hand() -> None:
    text = "ab cd  ef\n"
    places = np.array([[0, 1], [1, 2], [3, 5], [7, 9], [9, 10]])
    ratios = np.array([1.5, 2.0, 1.0, 1.2, 3.0])
    assert likelier_spans(ratios, places, text, 1.1) == [(0, 2, 2.0), (7, 10, 3.0)]
    assert likelier_spans(ratios, places, text, 0.9) == [(0, 10, 3.0)]
    assert likelier_spans(np.array([1, 1, 1, 1, 3.0]), places, text, 1.1) == [], "white space alone is no flaw"


def test_the_fake_model_tells_tokens_as_it_tells_sums() -> None:
    lm = FakeCausalLMSpec(most=8).load()
    asked: list[Talk] = [[{"role": "user", "content": "why"}]] * 3
    said: list[Talk] = [[{"role": "assistant", "content": text}] for text in ("so it is", "", "w " * 9)]
    first, empty, long = lm.tokens(asked, said)
    sums, counts = lm.logprobs(asked, said)
    assert first is not None and empty is not None and long is None and math.isnan(sums[2])
    assert first.logprobs.sum() == pytest.approx(sums[0]) and len(first.ids) == counts[0] == 3
    assert first.places.tolist() == [[0, 2], [3, 5], [6, 8]] and len(empty.ids) == 0


@pytest.mark.full
def test_a_real_model_tells_tokens_as_it_tells_sums(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed (rather[images])")
    from ..tiny_llama import tiny_llama

    folder = tiny_llama(tmp_path)
    asked: list[Talk] = [[{"role": "user", "content": "which stone"}]] * 3
    texts = ("a river stöne 🙂.", "kind " * 200, "kind")
    said: list[Talk] = [[{"role": "assistant", "content": text}] for text in texts]
    for template in (True, False):
        if not template:
            (folder / "chat_template.jinja").unlink(missing_ok=True)
        lm = CausalLMSpec(name=str(folder), device="cpu", max_tokens=200).load()
        found, (sums, counts) = lm.tokens(asked, said), lm.logprobs(asked, said)
        assert found[1] is None and found[0] is not None and found[2] is not None
        assert [texts[0][a:b] for a, b in found[0].places.tolist()][:3] == ["a", "river", "st"]
        assert found[0].logprobs.max() < 0 and len(found[0].ids) == len(found[0].logprobs) < counts[0]
        if not template:
            assert len(found[0].ids) == counts[0] - 1, "all but the end token"
            assert sums[0] < found[0].logprobs.sum()
            [alone] = lm.tokens(asked[2:], said[2:])
            assert alone is not None and np.array_equal(alone.logprobs, found[2].logprobs)


ROW = row_of("How many?", chosen=RESPONSE, critique=critique(JUDGMENT), spans=[{"start": 14, "end": 16}])


def test_an_unsatisfactory_response_is_right_for_its_judgment_and_wrong_without() -> None:
    found, _ = ran(CritiqueViews(), ROW, [])
    told = {"text": JUDGMENT, "critic": "", "score": None, "verdict": "wrong"}
    asked = (
        "Below is an instruction, and the judgment that a response to it was given. Write the response that deserves "
        f"this judgment.\n\nInstruction:\nHow many?\n\nJudgment:\n{JUDGMENT}"
    )
    assert found == [
        {
            "view": "align_n", "prompt": [{"role": "user", "content": asked, "parts": None, "tool_calls": None}],
            "chosen": {"text": RESPONSE}, "rejected": None, "verdict": None, "critique": told, "spans": None,
        },
        {
            "view": "misalign", "prompt": ROW["prompt"], "chosen": None, "rejected": {"text": RESPONSE},
            "verdict": None, "critique": told, "spans": ROW["spans"],
        },
    ]  # fmt: skip


@pytest.mark.parametrize("more", [{"critique": None}, {"critique": critique("")}, {"points": 7.0}])
def test_a_satisfactory_response_is_right_for_its_prompt(more: dict[str, Any]) -> None:
    [row], _ = ran(CritiqueViews(score="points"), ROW | more, [])
    assert row["view"] == "align_p" and row["chosen"] == {"text": RESPONSE} and row["critique"] is None


def test_a_low_score_leaves_the_judgment_alone() -> None:
    found, _ = ran(CritiqueViews(score="points"), ROW | {"points": 6.9}, [])
    assert [row["view"] for row in found] == ["align_n", "misalign"]


def test_an_improved_answer_beats_the_response() -> None:
    stage = CritiqueViews(form="pairs", improved="better")
    [row], _ = ran(stage, ROW | {"better": "18"}, [])
    assert (row["view"], row["chosen"]["text"], row["rejected"]["text"]) == ("pair", "18", RESPONSE)
    assert row["verdict"] == "prefer" and row["critique"]["text"] == JUDGMENT and row["spans"] == ROW["spans"]
    assert ran(stage, ROW | {"better": " "}, [])[0] == Drop("no improved answer")
    assert ran(stage, ROW | {"better": "18", "critique": None}, [])[0] == Drop("satisfactory")
    assert CritiqueViews(form="pairs").faults() and CritiqueViews(improved="better").faults()
