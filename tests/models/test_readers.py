"""Readers of verdicts: the forms judges write in, what is nobody's verdict, and text of any kind."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from rather.core.paid import Reply
from rather.models.readers import read_choice, read_json, read_ranking, read_text, read_yes_no
from rather.models.score_reader import read_score
from rather.models.spreads import choice_spread, entropy, expected_score
from rather.models.verdict import Outcome

OK, UNPARSABLE, REFUSED = Outcome.OK, Outcome.UNPARSABLE, Outcome.REFUSED
TRUNCATED, OFF_SCALE = Outcome.TRUNCATED, Outcome.OFF_SCALE
WINNER = {"enum": ["A", "B"]}
SCORE = {"type": "integer", "minimum": 1, "maximum": 10}
SCHEMA = {"type": "object", "properties": {"winner": WINNER, "score": SCORE}, "required": ["winner", "score"]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[[A]]", "A"), ("A reads well, but [[B]]", "B"), ("I said [[A]] first. Final: [[B]]", "B"),
        ("[[C]]", "tie"), ("【A】", "A"), ("（Ａ）", "A"), ("B", "B"), ("**A**", "A"), ("b.", "B"),
        ("\\boxed{B}", "B"), ("<answer> A </answer>", "A"), ('{"winner": "B"}', "B"),
        ("Answer B is better.", "B"), ("Verdict: A", "A"), ("The better answer is answer A.", "A"),
        ("Which one, A or B? I would take B.", "B"), ("A\nBecause response B is wrong", "A"),
        ("Reasons …\n\nB", "B"), ("It is a tie.", "tie"), ("They are equally good", "tie"), ("Tie", "tie"),
        ("<think>surely [[A]]</think>[[B]]", "B"), ("My choice goes to B because A is vague.", "B"),
    ],
)  # fmt: skip
def test_choices(text: str, value: str) -> None:
    verdict = read_choice()(Reply(text))
    assert (verdict.outcome, verdict.value) == (OK, value)


@pytest.mark.parametrize(
    ("text", "finish", "outcome"),
    [
        ("", "stop", UNPARSABLE), ("A better response would say more.", "stop", UNPARSABLE),
        ("I'm sorry, but I can't compare A with B.", "stop", REFUSED), ("抱歉,我无法回答。", "stop", REFUSED),
        ("anything", "content_filter", REFUSED), ("Answer A is longer and", "length", TRUNCATED),
    ],
)  # fmt: skip
def test_what_is_no_choice(text: str, finish: str, outcome: Outcome) -> None:
    verdict = read_choice()(Reply(text, finish))
    assert verdict.outcome is outcome and verdict.value is None


def test_a_cut_reply_counts_where_its_strict_form_is_whole() -> None:
    assert read_choice()(Reply("[[A]] because", "length")).value == "A"
    assert read_score(1, 10)(Reply("[[7]] as it", "length")).value == 7
    assert read_score(1, 10)(Reply("Score: 1", "length")).outcome is TRUNCATED  # it may have become 10


def test_without_a_tie_c_is_no_answer_and_words_are_choices() -> None:
    assert read_choice(("A", "B"))(Reply("[[C]]")).outcome is UNPARSABLE
    assert read_choice(("A", "B", "C"))(Reply("[[C]]")).value == "C"
    assert read_choice(("chosen", "rejected"))(Reply("Chosen")).value == "chosen"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7), ("[[8]]", 8), ("[[8/10]]", 8), ("Score: 7/10", 7), ("rating: 9 out of 10", 9), ("7,5", 7.5),
        ('{"score": 3, "why": "4 errors"}', 3), ("Between 1 and 10, I say 6.", 6), ("Score (1-10): 7", 7),
        ("**Score:** 8", 8), ("１０", 10), ("It has 3 flaws and 250 words. Rating: 4", 4), ("**9**", 9),
        ("评分：6", 6), ("First I thought 4, then 5", 5), ("10", 10),
    ],
)  # fmt: skip
def test_scores(text: str, value: float) -> None:
    verdict = read_score(1, 10)(Reply(text))
    assert (verdict.outcome, verdict.value) == (OK, value)


@pytest.mark.parametrize("text", ["11", "0", "-3", "[[12]]", "4/5", '{"score": 12}', "I give it 100", "Score: 0"])
def test_scores_off_the_scale(text: str) -> None:
    assert read_score(1, 10)(Reply(text)).outcome is OFF_SCALE


def test_a_refusal_with_a_number_is_a_refusal() -> None:
    assert read_score(1, 10)(Reply("I'm sorry, I cannot rate this on a scale of 1 to 10.")).outcome is REFUSED
    long = "I cannot say more about the first part, " + "but the rest is fine " * 30 + "so the score is 7."
    assert read_score(1, 10)(Reply(long)).value == 7


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("B > A > C", [1, 0, 2]), ("[[B, A, C]]", [1, 0, 2]), ("[2, 1, 3]", [1, 0, 2]), ("C,A,B", [2, 0, 1]),
        ("1. B\n2. C\n3. A", [1, 2, 0]), ('{"ranking": ["C", "A", "B"]}', [2, 0, 1]),
        ("At first A > B > C, on reflection C > B > A", [2, 1, 0]),
        ("1) Answer C\n2) Answer A\n3) Answer B", [2, 0, 1]),
    ],
)  # fmt: skip
def test_rankings(text: str, order: list[int]) -> None:
    assert read_ranking(3)(Reply(text)).value == order


@pytest.mark.parametrize("text", ["A > B", "A > A > B", "D > A > B", "none of them"])
def test_a_ranking_must_name_each_answer_once(text: str) -> None:
    assert read_ranking(3)(Reply(text)).outcome is UNPARSABLE


def test_yes_and_no() -> None:
    read = read_yes_no()
    values = [
        read(Reply(text)).value for text in ("Yes", "No.", "yes, it does", "The answer is no", '{"answer": "yes"}')
    ]
    assert values == [True, False, True, False, True]
    assert read(Reply("Perhaps")).outcome is UNPARSABLE and read(Reply("I can't say")).outcome is REFUSED


@pytest.mark.parametrize(
    "text",
    [
        '{ "score" :3,"winner" :\n"A" }', '```json\n{"winner": "A", "score": 3}\n```', "{'winner': 'A', 'score': 3,}",
        'Sure! {"score": 3, "winner": "A"} as footnote [1] says', '{"score": 3, "winner": "A"',
        '{"score": 3, "winner": "A", "why": "cut o',
        "{winner: 'A', score: 3}", '{“winner”: “A”, “score”: 3}', '{"winner": "A", // first\n "score": 3}',
        '```\n{"draft": 1}\n```\nand then\n```json\n{"winner": "A", "score": 3}\n```', '{"winner": "A", "score": 3.0}',
    ],
)  # fmt: skip
def test_json(text: str) -> None:
    verdict = read_json(SCHEMA)(Reply(text))
    assert verdict.outcome is OK and (verdict.value["winner"], verdict.value["score"]) == ("A", 3)


@pytest.mark.parametrize(
    ("text", "finish", "outcome"),
    [
        ('{"winner": "A", "score": 1', "stop", UNPARSABLE),  # it may have become 10
        ('{"score": 3, "winner": "A"', "length", TRUNCATED), ('{"winner": "A"}', "stop", UNPARSABLE),
        ('{"winner": "A", "score": 13}', "stop", OFF_SCALE), ('{"winner": "C", "score": 3}', "stop", UNPARSABLE),
        ('{"winner": "A", "score": true}', "stop", UNPARSABLE), ("A, 3", "stop", UNPARSABLE),
        ("I'm sorry, I can't do that.", "stop", REFUSED), ("```json\n{", "length", TRUNCATED),
    ],
)  # fmt: skip
def test_what_is_no_json_of_the_schema(text: str, finish: str, outcome: Outcome) -> None:
    assert read_json(SCHEMA)(Reply(text, finish)).outcome is outcome


class Judged(BaseModel):
    winner: str
    score: int = Field(ge=1, le=10)


def test_json_as_a_class() -> None:
    read = read_json(Judged)
    assert read(Reply('{"winner": "A", "score": 3}')).value == Judged(winner="A", score=3)
    assert read(Reply('{"winner": "A", "score": 30}')).outcome is OFF_SCALE
    assert read(Reply('{"winner": "A"}')).outcome is UNPARSABLE


def with_logprobs(*tokens: tuple[str, dict[str, float]]) -> Reply:
    """A reply of these tokens, each with the chances of its rivals."""
    steps = [
        {"token": token, "logprob": math.log(tops[token]), "top": [[t, math.log(p)] for t, p in tops.items()]}
        for token, tops in tokens
    ]
    return Reply("".join(token for token, _ in tokens), data={"logprobs": [steps]})


def test_the_expected_score_is_the_mean_over_the_scores_that_are_allowed() -> None:
    # Allowed mass: 3 → .1, 4 → .5 + .1 (with its space), 5 → .2; sum .9; (.3 + 2.4 + 1.0) / .9.
    reply = with_logprobs(("4", {"4": 0.5, " 4": 0.1, "3": 0.1, "5": 0.2, "four": 0.05}))
    assert expected_score(reply, range(1, 6)) == pytest.approx(3.7 / 0.9)
    spread = choice_spread(reply, ["3", "4", "5"])
    assert spread == pytest.approx({"3": 1 / 9, "4": 6 / 9, "5": 2 / 9})
    assert entropy(spread or {}) == pytest.approx(math.log(9) - (6 * math.log(6) + 2 * math.log(2)) / 9)


def test_the_verdicts_token_is_the_last_one_that_is_an_answer() -> None:
    reply = with_logprobs(
        ("A", {"A": 0.9, "B": 0.1}), (" or", {" or": 1.0}), (" B", {" B": 0.7, " A": 0.2, "Ġtie": 0.1})
    )
    assert choice_spread(reply, ["A", "B", "tie"]) == pytest.approx({"A": 0.2, "B": 0.7, "tie": 0.1})


def test_half_of_a_number_is_no_score() -> None:
    assert expected_score(with_logprobs(("1", {"1": 0.9, "2": 0.1}), ("0", {"0": 1.0})), range(11)) is None
    assert choice_spread(Reply("A"), ["A", "B"]) is None
    assert choice_spread(Reply("A", data={"logprobs": [[]]}), ["A", "B"]) is None


READERS = [
    read_choice(), read_choice(("yes", "no")), read_score(1, 10), read_ranking(3), read_yes_no(),
    read_json(SCHEMA), read_json(Judged), read_text,
]  # fmt: skip
PIECES = st.sampled_from(
    ["{", "}", "[", "]", '"', "'", ",", ":", "A", "B", "[[", "]]", "7", "1e999", "-", "/", "```json\n", "\\", "\n", " ",
     "tie", "I'm sorry", "score", "NaN", "é", "\ud800", "９", "<think>", "</think>", "true", "None", "//", "#", "“"]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join)), st.sampled_from(["stop", "length", "refusal"]))
def test_no_reader_raises_and_only_ok_has_a_value(text: str, finish: str) -> None:
    for read in READERS:
        verdict = read(Reply(text, finish))
        assert (verdict.outcome is OK) == (verdict.value is not None)
    assert all(1 <= v.value <= 10 for v in [read_score(1, 10)(Reply(text))] if v.ok)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_any_json_in_prose_is_read_as_it_is(value: Any) -> None:
    said = f"Here it is:\n```json\n{json.dumps({'value': value}, ensure_ascii=False)}\n```"
    if "```" not in json.dumps(value, ensure_ascii=False):
        assert read_json({"type": "object", "required": ["value"]})(Reply(said)).value == {"value": value}


def test_a_last_line_that_names_the_verdict_is_one_whatever_was_said_before() -> None:
    """Reasons that quote a refusal, or other numbers, are no refusal and no score."""
    refusal = "Answer B only says: I'm sorry, I can't help with that.\n**Verdict:** A"
    assert read_choice()(Reply(refusal)).value == "A"
    assert read_choice()(Reply("I cannot fault either.\nFinal verdict: tie")).value == "tie"
    assert read_score(1, 5)(Reply("It speaks as an AI, and 40a + 8/5 is wrong.\nScore: 2")).value == 2.0
    assert read_score(1, 5)(Reply("As a language model it says so.\n**Rating: 4/5**")).value == 4.0
    assert read_score(1, 5)(Reply("It is poor.\nScore: 9")).outcome is Outcome.OFF_SCALE
