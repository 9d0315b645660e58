"""Rule-made negatives: each case in full, and the guarantees on any text."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rather.synth.corruptions import (
    KINDS,
    Corruption,
    negation,
    normalised,
    shuffled_steps,
    topic_swap,
    truncation,
    wrong_entity,
    wrong_number,
)
from rather.synth.steplists import find_steps

Rule = Callable[[str, Random], Corruption | None]
POOL = {
    "city": ("Oslo", "Vienna"),
    "person": ("Isaac Newton", "Niels Bohr"),
    "ocean": ("Indian Ocean",),
    "people": ("Italian",),
    "month": ("April",),
    "name": ("Blue Peter",),
}


def outcomes(rule: Rule, answer: str, draws: int = 60) -> set[str]:
    """Every text that `rule` makes of `answer` over many generators."""
    made = (rule(answer, Random(seed)) for seed in range(draws))
    return {corruption.text for corruption in made if corruption is not None}


def entity_rule(answer: str, rng: Random) -> Corruption | None:
    return wrong_entity(answer, rng, POOL)


SEEDED: dict[str, Rule] = {
    "wrong_number": wrong_number,
    "negation": negation,
    "wrong_entity": entity_rule,
    "truncation": truncation,
    "shuffled_steps": shuffled_steps,
}

FRAGMENTS = """The Marie Curie is not never can't Paris Pacific Ocean 1. 2. 3. 10-15 1969 45% 1,200
3.14 21st 1990s two an Italian does not do did don't was . , ? ! Add the Mix of March 14 always
`code 5` ``` - contains cannot 007 12:30 http://a.b/3 $40 0 1 of von"""
ENGLISH = st.lists(st.sampled_from(["\n", *FRAGMENTS.split()]), max_size=40).map(" ".join)
ANY_TEXT = st.one_of(st.text(max_size=300), ENGLISH)


@pytest.mark.parametrize("kind", sorted(SEEDED))
@given(answer=ANY_TEXT, seed=st.integers(0, 2**32))
@settings(max_examples=120, deadline=None)
def test_a_corruption_differs_in_its_words_and_is_repeatable(kind: str, answer: str, seed: int) -> None:
    rule = SEEDED[kind]
    made = rule(answer, Random(seed))
    assert made == rule(answer, Random(seed))
    if made is not None:
        assert normalised(made.text)
        assert normalised(made.text) != normalised(answer)
        assert made.params
        assert all(isinstance(value, str | int | float) for value in made.params.values())


@given(answer=ANY_TEXT, neighbor=ANY_TEXT)
@settings(max_examples=120, deadline=None)
def test_a_topic_swap_is_the_neighbors_answer_or_nothing(answer: str, neighbor: str) -> None:
    made = topic_swap(answer, neighbor)
    mine, theirs = normalised(answer), normalised(neighbor)
    assert (made is None) == (not mine or not theirs or mine == theirs)
    if made is not None:
        assert made.text == neighbor.strip()
        assert 0 <= made.params["overlap"] <= 1


@given(
    pool=st.dictionaries(
        st.sampled_from(["city", "person", "name", "ocean"]),
        st.lists(st.text(max_size=8), max_size=4),
    ),
    seed=st.integers(0, 99),
)
@settings(max_examples=80, deadline=None)
def test_any_pool_is_safe(pool: dict[str, list[str]], seed: int) -> None:
    answer = "Marie Curie saw the Pacific Ocean from Lisbon with Oliver Twist."
    made = wrong_entity(answer, Random(seed), pool)
    if made is not None:
        assert normalised(made.text) != normalised(answer)
        assert made.params["to"] in pool[str(made.params["kind"])]


def test_kinds_are_the_six_rules() -> None:
    assert dict(KINDS) == {"topic_swap": topic_swap, **SEEDED, "wrong_entity": wrong_entity}


def test_params_cannot_be_changed() -> None:
    made = topic_swap("a cat", "a dog")
    assert made == Corruption("a dog", {"overlap": 0.3333})
    with pytest.raises(TypeError):
        made.params["overlap"] = 1.0  # type: ignore[index]


def test_topic_swap_ignores_case_spacing_and_punctuation() -> None:
    assert topic_swap("A cat.", "  a CAT!\n") is None
    assert topic_swap("A cat.", " ... ") is None


@given(words=st.lists(st.text("abcdefgh", min_size=1, max_size=9), min_size=12, max_size=60))
@settings(deadline=None)
def test_truncation_breaks_off_inside_a_sentence(words: list[str]) -> None:
    answer = " ".join(words) + "."
    made = truncation(answer, Random(len(answer)))
    assert made is not None
    assert answer.startswith(made.text + " ")
    assert 0.3 <= len(made.text) / len(answer) <= 0.7
    assert made.params == {"kept": round(len(made.text) / len(answer), 4)}


def test_truncation_in_full() -> None:
    answer = "One two. Three four five. Six"
    assert outcomes(truncation, answer) == {"One two. Three", "One two. Three four"}
    assert outcomes(truncation, "东京是日本的首都。") == {
        "东京是",
        "东京是日",
        "东京是日本",
        "东京是日本的",
    }
    assert outcomes(truncation, "Short.") == set()


def test_shuffled_steps_in_full() -> None:
    two = "Do this:\n1. Wash it.\n2. Dry it.\n\nThen rest."
    assert outcomes(shuffled_steps, two) == {"Do this:\n1. Dry it.\n2. Wash it.\n\nThen rest."}
    inline = "Steps: 1. wash it, 2. dry it, and 3. wear it!"
    made = shuffled_steps(inline, Random(1))
    assert made is not None
    order = [int(place) for place in str(made.params["order"]).split(",")]
    bodies = ["wash it", "dry it", "wear it"]
    a, b, c = (bodies[place - 1] for place in order)
    assert made.text == f"Steps: 1. {a}, 2. {b}, and 3. {c}!"
    assert made.params["moved"] == sum(place != at for at, place in enumerate(order, start=1))
    assert len(outcomes(shuffled_steps, inline)) == 5


@pytest.mark.parametrize(
    "answer",
    ["No steps.", "1. One.", "2. It starts at two.\n3. So no.", "1. Same.\n2. same!", "1. 3. 5"],
)
def test_what_is_no_list_is_not_shuffled(answer: str) -> None:
    assert outcomes(shuffled_steps, answer) == set()


@given(
    bodies=st.lists(st.sampled_from(["a", "b", "wash it", "dry it"]), min_size=2, max_size=9),
    marker=st.sampled_from(["{}. ", "{}) ", "Step {}: "]),
    seed=st.integers(0, 999),
)  # fmt: skip
def test_steps_are_permuted_and_numbered_again(bodies: list[str], marker: str, seed: int) -> None:
    answer = "\n".join(marker.format(k) + body for k, body in enumerate(bodies, start=1))
    made = shuffled_steps(answer, Random(seed))
    assert (made is None) == (len(set(bodies)) == 1)
    if made is not None:
        steps = find_steps(made.text)
        assert steps is not None
        assert sorted(steps.bodies) == sorted(bodies)
        assert [m.strip() for m in steps.markers] == [marker.format(k).strip() for k in range(1, len(bodies) + 1)]


@given(text=ANY_TEXT)
@settings(max_examples=120, deadline=None)
def test_a_step_list_puts_its_text_together_again(text: str) -> None:
    steps = find_steps(text)
    if steps is not None:
        parts = zip(steps.markers, steps.bodies, steps.tails, strict=True)
        assert steps.head + "".join(m + b + t for m, b, t in parts) + steps.rest == text
