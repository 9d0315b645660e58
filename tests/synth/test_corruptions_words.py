"""Corruptions of single words: numbers, negations and names."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rather.synth.corruptions import (
    Corruption,
    negation,
    wrong_number,
)
from rather.synth.entities import Entity, entity_pool, find_entities
from rather.synth.lexicon import KNOWN
from rather.synth.numerals import find_numerals

from .test_corruptions import entity_rule, outcomes


@pytest.mark.parametrize(
    ("answer", "pattern"),
    [
        ("It is 8,849 m high.", r"It is [0-9]{1,2},[0-9]{3} m high\."),
        ("It costs $5.50 now.", r"It costs \$[0-9]+\.[0-9]{2} now\."),
        ("About 45% agree.", r"About [0-9]{2}% agree\."),
        ("It is -5 °C here.", r"It is -[2-8] °C here\."),
        ("It opened in 1969.", r"It opened in (19[0-9]{2})\."),
        ("In the 1990s it grew.", r"In the (19[678]0|20[0-2]0)s it grew\."),
        ("The 21st century.", r"The (18th|19th|20th) century\."),
        ("The 3rd floor.", r"The (4th|5th|6th) floor\."),
        ("Eight planets exist.", r"(Five|Six|Seven|Nine|Ten|Eleven) planets exist\."),
        ("Add 300000 grains.", r"Add [0-9]{6}0* grains\.|Add [1-9][0-9]+0000 grains\."),
        ("On 30 June we met.", r"On ([1-9]|1[0-9]|2[0-8]) June we met\."),
        ("On June 30 we met.", r"On June ([1-9]|1[0-9]|2[0-8]) we met\."),
        ("It weighs 5kg.", r"It weighs [2-8]kg\."),
        ("It is 0 by day.", r"It is [23] by day\."),
    ],
)
def test_a_wrong_number_keeps_its_format(answer: str, pattern: str) -> None:
    made = outcomes(wrong_number, answer)
    assert len(made) > 1
    assert all(re.fullmatch(pattern, text) for text in made), made


def test_wrong_number_in_full() -> None:
    answer = "1. Heat to 200 °C.\n2. Bake; 200 °C is hot."
    made = wrong_number(answer, Random(3))
    assert made is not None
    new = made.params["to"]
    assert made.text == f"1. Heat to {new} °C.\n2. Bake; {new} °C is hot."
    assert made.params == {"from": "200", "to": new, "role": "plain", "count": 2}


@pytest.mark.parametrize(
    "answer",
    [
        "No figures here.",
        "1. Wash it.\n2. Dry it.",
        "At 12:30 use 3.11.2 of COVID-19 from https://a.org/77 on 2024-05-01, or 1/2, x2, H2O.",
        "Take 1 cup of agent 007.",
        "A twenty-one gun salute.",
    ],
)
def test_what_is_no_quantity_is_left_alone(answer: str) -> None:
    assert outcomes(wrong_number, answer) == set()


@given(
    low=st.integers(2, 400), width=st.integers(1, 400), end=st.sampled_from([" m", "%"]),
    seed=st.integers(0, 999),
)  # fmt: skip
def test_a_range_stays_ordered(low: int, width: int, end: str, seed: int) -> None:
    answer = f"Use {low}-{low + width}{end} of it."
    made = wrong_number(answer, Random(seed))
    if made is not None:
        first, last = re.findall(r"[0-9]+", made.text)
        assert int(first) < int(last)
        assert made.text == f"Use {first}-{last}{end} of it."


@given(share=st.integers(2, 100), seed=st.integers(0, 999))
def test_a_percentage_stays_within_a_hundred(share: int, seed: int) -> None:
    made = wrong_number(f"Some {share}% of it.", Random(seed))
    assert made is not None
    assert 1 <= int(str(made.params["to"])) <= 100


@given(year=st.integers(1000, 2025), seed=st.integers(0, 999))
def test_a_year_stays_near_and_in_the_past(year: int, seed: int) -> None:
    made = wrong_number(f"It was built in {year}.", Random(seed))
    assert made is not None
    assert made.params["role"] == "year"
    assert 2 <= abs(int(str(made.params["to"])) - year) <= 25
    assert 1000 <= int(str(made.params["to"])) <= 2025


def test_four_digits_before_a_unit_are_no_year() -> None:
    roles = [n.role for n in find_numerals("1500 people, $1800, 2000 + 5, in 1850, 1914-1918")]
    assert roles == ["plain", "plain", "plain", "plain", "year", "year", "year"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("It is warm.", {"It is not warm."}),
        ("It is not warm.", {"It is warm."}),
        ("It isn't warm.", {"It is warm."}),
        ("You cannot eat it.", {"You can eat it."}),
        ("You can’t eat it.", {"You can eat it."}),
        ("You can eat it.", {"You cannot eat it."}),
        ("It won't fit.", {"It will fit."}),
        ("You should wait.", {"You should not wait."}),
        ("It contains salt.", {"It does not contain salt."}),
        ("It does not contain salt.", {"It contains salt."}),
        ("She does not carry it.", {"She carries it."}),
        ("It doesn't pass.", {"It passes."}),
        ("It does not usually freeze.", {"It does usually freeze."}),
        ("They do not need light.", {"They need light."}),
        ("Do not touch it.", {"Touch it."}),
        ("Don't touch it.", {"Touch it."}),
        ("She did not win it.", {"She did win it."}),
        ("She won it twice.", {"She did not win it twice."}),
        ("Never mix them.", {"Always mix them."}),
        ("It always rains.", {"It never rains."}),
        ("It has been closed.", {"It has not been closed."}),
        ("Add the salt.", {"Do not add the salt."}),
        ("2. Add 5 g of salt.", {"2. Do not add 5 g of salt."}),
        ("It is hot. It was cold.", {"It is not hot. It was cold.", "It is hot. It was not cold."}),
        ("The can is full.", {"The can is not full."}),
    ],
)
def test_negation_in_full(answer: str, expected: set[str]) -> None:
    assert outcomes(negation, answer) == expected


@pytest.mark.parametrize(
    "answer",
    [
        "Is it warm? Why don't you ask?",
        "It is not only warm.",
        "A spider is not an insect but an arachnid.",
        "Nobody is here.",
        "`x is y` and `a is not b`",
        "```python\nif x is not None:\n    pass\n```",
        "Water plants.",
        "A means to an end",
    ],
)
def test_negation_leaves_these_alone(answer: str) -> None:
    assert outcomes(negation, answer) == set()


def test_negation_says_what_it_did() -> None:
    made = negation("Cats are not dogs.", Random(0))
    assert made == Corruption("Cats are dogs.", {"from": "are not", "to": "are", "rule": "removed"})


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("He lives in Lisbon.", {"He lives in Oslo.", "He lives in Vienna."}),
        ("Lisbon is old.", {"Oslo is old.", "Vienna is old."}),
        ("The Pacific Ocean is big.", {"The Indian Ocean is big."}),
        ("It is a German car.", {"It is an Italian car."}),
        (
            "Marie Curie won. Later Curie won again.",
            {
                "Isaac Newton won. Later Newton won again.",
                "Niels Bohr won. Later Bohr won again.",
            },
        ),
        ("Oliver Twist met Amy Dorrit in Rome.", {
            "Oliver Twist met Amy Dorrit in Oslo.", "Oliver Twist met Amy Dorrit in Vienna.",
        }),
        ("We met Oliver Twist.", {"We met Blue Peter."}),
        ("He saw Oslo and Lisbon.", {"He saw Vienna and Lisbon.", "He saw Oslo and Vienna."}),
        ("They left in May.", {"They left in April."}),
    ],
)  # fmt: skip
def test_wrong_entity_in_full(answer: str, expected: set[str]) -> None:
    assert outcomes(entity_rule, answer) == expected


@pytest.mark.parametrize(
    "answer",
    [
        "Stir the soup. However, wait. May we go?",
        "Use `Lisbon` or\n```\nLisbon\n```",
        "The NASA DNA test of H2O. I know.",
        "Mix Flour well.",
        "They flew to Saturn.",
    ],
)
def test_wrong_entity_leaves_these_alone(answer: str) -> None:
    assert outcomes(entity_rule, answer) == set()


def test_names_are_found_with_their_kind() -> None:
    text = (
        "In Paris, Leonardo da Vinci met Usain Bolt of Jamaica near the Bay of Bengal. "
        "Visit Rome. The Second World War ended in May. We love the Lost Chord."
    )
    assert find_entities(text) == [
        Entity("Paris", "city"),
        Entity("Leonardo da Vinci", "person"),
        Entity("Usain Bolt", "person"),
        Entity("Bay of Bengal", "bay"),
        Entity("Rome", "city"),
        Entity("Second World War", "war"),
        Entity("May", "month"),
        Entity("Lost Chord", "the name"),
    ]


def test_a_pool_does_not_depend_on_the_order_of_its_texts() -> None:
    texts = ["He saw Rome and Oslo.", "He met Marie Curie in Oslo."]
    pool = entity_pool(texts)
    assert dict(pool) == {"city": ("Oslo", "Rome"), "person": ("Marie Curie",)}
    assert list(pool) == list(entity_pool(reversed(texts)))


def test_no_known_name_stands_under_two_kinds() -> None:
    names = [name for kind in KNOWN.values() for name in kind]
    assert len(names) == len(set(names))
