"""The shipped quickstart rows: well formed, distinct, varied, and right in their arithmetic."""

from __future__ import annotations

import json
import re
from collections import Counter
from fractions import Fraction
from importlib.resources import files

import pytest
from rather.synth.corruptions import normalised
from rather.synth.entities import find_entities
from rather.synth.numerals import find_numerals
from rather.synth.steplists import find_steps

SUM = re.compile(r"(?<![\w.,])([0-9][0-9.,]*(?: [×÷+-] [0-9][0-9.,]*)+) = ([0-9][0-9.,]*[0-9]|[0-9])(?![\w,])")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    text = (files("rather.recipes") / "quickstart.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_rows_have_the_four_fields_and_nothing_twice(rows: list[dict[str, str]]) -> None:
    assert len(rows) >= 300
    assert {tuple(row) for row in rows} == {("id", "prompt", "answer", "topic")}
    assert all(value == value.strip() != "" for row in rows for value in row.values())
    for field in ("id", "prompt", "answer"):
        assert len({normalised(row[field]) for row in rows}) == len(rows)


def test_rows_are_varied(rows: list[dict[str, str]]) -> None:
    answers = [row["answer"] for row in rows]
    topics = Counter(row["topic"] for row in rows)
    assert len(topics) >= 20
    assert min(topics.values()) >= 10
    assert sum(any(n.role != "word" for n in find_numerals(a)) for a in answers) >= 80
    assert sum(bool(find_entities(a)) for a in answers) >= 80
    assert sum(find_steps(a) is not None for a in answers) >= 60
    assert sum(find_steps(a) is None and a.count(". ") > 0 for a in answers) >= 60


def test_every_sum_is_right(rows: list[dict[str, str]]) -> None:
    sums = [match for row in rows for match in SUM.finditer(row["answer"])]
    assert len(sums) >= 40
    for match in sums:
        assert _value(match[1]) == Fraction(match[2].replace(",", "")), match.group()


@pytest.mark.parametrize("words", ["TODO", "lorem ipsum", "as an AI"])
def test_no_filler(rows: list[dict[str, str]], words: str) -> None:
    assert not [row["id"] for row in rows if words.lower() in row["answer"].lower()]


def test_python_answers_compile(rows: list[dict[str, str]]) -> None:
    blocks = [code for row in rows for code in re.findall(r"```python\n(.*?)```", row["answer"], flags=re.DOTALL)]
    assert len(blocks) >= 10
    for code in blocks:
        compile(code, "<answer>", "exec")


def _value(expression: str) -> Fraction:
    """A chain of + - × ÷ without brackets; × and ÷ bind more tightly."""
    tokens = expression.replace(",", "").split(" ")
    terms, sign = [Fraction(tokens[0])], 1
    for operator, number in zip(tokens[1::2], tokens[2::2], strict=True):
        if operator in "+-":
            sign = 1 if operator == "+" else -1
            terms.append(sign * Fraction(number))
        else:
            terms[-1] = terms[-1] * Fraction(number) if operator == "×" else terms[-1] / Fraction(number)
    return sum(terms, Fraction(0))
