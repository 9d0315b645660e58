"""Numbers and formulas as people write them."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from rather.core.final_answer import final_answer, marked_answer
from rather.core.quantities import Quantity, plain_formula, quantities, quantity, same_quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234.5", "1234.5"), ("$-5", "-5"), ("-$5", "-5"), ("−3", "-3"), ("+7", "7"), (".5", "0.5"), ("€ 12", "12"),
        ("1/2", "1/2"), ("1 1/2", "3/2"), (r"\frac{3}{4}", "3/4"), (r"-\frac12", "-1/2"), (r"2\frac{1}{2}", "5/2"),
        (r"\dfrac{-3}{4}", "-3/4"), ("1.5e3", "1500"), (r"3\times10^{-2}", "3/100"), ("2 x 10^3", "2000"),
        ("1{,}000", "1000"), (r"12\,000", "12000"), ("007", "7"),
    ],
)  # fmt: skip
def test_a_number_is_read_exactly(text: str, value: str) -> None:
    assert quantity(text) == Quantity(Fraction(value))


@pytest.mark.parametrize("text", ["", "x2", "v1.2.3", "3/0", r"\frac{1}{0}", "1 1/0", "5 apples", "1 2", "1e9999"])
def test_what_is_no_number_alone_is_none(text: str) -> None:
    assert quantity(text) is None


def test_numbers_of_a_sentence_in_order() -> None:
    found = [q.value for q in quantities("From 10-20 of 1,000 (50%) by 3.")]
    assert found == [10, 20, 1000, 50, 3]
    assert [q.percent for q in quantities("5 % or 5\\% or 5 percent or 5")] == [True, True, True, False]


def test_babble_is_no_number_and_takes_no_time() -> None:
    began = time.perf_counter()
    assert list(quantities("1" * 100_000)) == [] and quantity("9" * 5000 + "/3") is None
    for text in ("1 " * 9_000, "1," * 9_000, "1/" * 9_000, "-" * 100_000, "1" + " " * 100_000, "1.1" * 9_000):
        list(quantities(text))
        assert final_answer(text) is not None
    assert time.perf_counter() - began < 10


def test_percents_are_numbers_and_shares() -> None:
    half, fifty, share = Quantity(Fraction(50), True), Quantity(Fraction(50)), Quantity(Fraction(1, 2))
    assert same_quantity(half, fifty) and same_quantity(half, share) and same_quantity(share, half)
    assert not same_quantity(fifty, share)


def test_tolerance_is_a_share_of_the_second() -> None:
    third, written = Quantity(Fraction(1, 3)), Quantity(Fraction("0.3333"))
    assert not same_quantity(written, third) and same_quantity(written, third, 1e-3)
    assert not same_quantity(Quantity(Fraction(1, 100)), Quantity(Fraction(0)), 0.5), "nothing is near to zero"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"\dfrac{\sqrt3}{2}", r"\frac{\sqrt{3}}{2}"), (r"\left( 1,\, 2 \right)", "(1,2)"),
        (r"x = \frac12", r"\frac{1}{2}"), (r"90^\circ", "90"), (r"\text{Monday}", "Monday"),
        (r"f(x)=2x + 1.", "2x+1"), (r"\$12", "12"),
    ],
)  # fmt: skip
def test_formulas_that_say_the_same(one: str, other: str) -> None:
    assert plain_formula(one) == plain_formula(other)


def test_a_boxed_formula_may_be_nested_three_deep() -> None:
    assert marked_answer(r"so \boxed{\frac{\sqrt{x^{2}}}{2}}.") == r"\frac{\sqrt{x^{2}}}{2}"
    assert marked_answer("It rains. 12 times.") is None and final_answer("It rains. 12 times.") == "12"
