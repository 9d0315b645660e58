"""What verifiers call right, wrong and unreadable."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from rather.core.errors import StageFailed
from rather.core.stage import Dropped
from rather.synth import verifiers_code
from rather.synth.sandbox import Ended, Ran, sandbox_fault
from rather.synth.verifiers import AnyVerifier, reference_columns, reference_of
from rather.synth.verifiers_code import python_in

OPTION = TypeAdapter(AnyVerifier)


def result(option: Any, answer: str, reference: Any = None) -> str:
    return asyncio.run(OPTION.validate_python(option).verify(answer, reference)).result


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("18 + 24 = 42. The answer is 42.", "42", "right"),
        ("so it is\n#### 1,000", "1000", "right"),
        (r"thus \boxed{\frac{3}{4}}", "0.75", "right"),
        ("It costs $3.50 in all", "they pay 3.5", "right"),
        ("the answer is x = 5", "5", "right"),
        ("The answer is 12 apples in 3 boxes", "12", "right"),
        ("half of them, 50%", "1/2", "right"),
        ("first 42, then 43", "42", "wrong"),
        ("#### 41", "42", "wrong"),
        ("The answer is -5", "5", "wrong"),
        ("#### 1e999", "42", "wrong"),
        ("I cannot say", "42", "unreadable"),
        ("42", "none", "unreadable"),
    ],
)
def test_numbers(answer: str, reference: str, expected: str) -> None:
    assert result("number", answer, reference) == expected


def test_the_tolerance_of_numbers_is_an_option() -> None:
    assert result("number", "0.33", "1/3") == "wrong"
    assert result({"by": "number", "tolerance": 0.02}, "0.33", "1/3") == "right"


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        (r"\boxed{\dfrac{\sqrt3}{2}}", r"\frac{\sqrt{3}}{2}", "right"),
        (r"\boxed{50\%}", r"\frac12", "right"),
        ("The answer is (1, 2).", r"\left(1,2\right)", "right"),
        (r"\boxed{2x}", "2y", "wrong"),
        (r"\boxed{2\pi}", "2", "wrong"),
        ("", "2", "unreadable"),
    ],
)
def test_formulas(answer: str, reference: str, expected: str) -> None:
    assert result("formula", answer, reference) == expected


def test_texts() -> None:
    assert result("text", "The answer is Paris.", " paris") == "right"
    assert result("text", "Paris", ["Lyon", "Paris"]) == "right"
    assert result("text", "It is in Paris, I think", "Paris") == "wrong"
    within = {"by": "text", "within": True}
    assert result(within, "It is in Paris, I think", "Paris") == "right"
    assert result(within, "the Parisians", "Paris") == "wrong", "whole words only"
    assert result("text", "Paris", "") == "unreadable" == result("text", " ", "Paris")


def test_patterns() -> None:
    assert result({"by": "pattern", "pattern": "^ok$"}, "well\nok") == "right"
    assert result({"by": "pattern", "pattern": "^ok$"}, "not ok") == "wrong"
    grouped = {"by": "pattern", "pattern": r"choice: (\w)"}
    assert result(grouped, "choice: A, no, choice: B", "b") == "right"
    assert result(grouped, "choice: A", "B") == "wrong"
    assert result(grouped, "A", "A") == "unreadable"
    assert "no regular expression" in OPTION.validate_python({"by": "pattern", "pattern": "("}).faults()[0]


def test_json() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    assert result({"by": "json", "fits": schema}, 'Here: {"n": 3}') == "right"
    assert result("json", '{"n": "three"}', json.dumps(schema)) == "wrong"
    assert result("json", "three", json.dumps(schema)) == "wrong"
    assert result("json", '{"n": 3}', "no schema") == "unreadable"


@pytest.mark.skipif(sandbox_fault() is not None, reason="programs cannot be shut in on this machine")
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Here:\n```python\ndef f(x):\n    return x + 1\n```\nand `f(1)` is 2.", "right"),
        ("```\ndef f(x): return x + 1", "right"),
        ("def f(x):\n    return x + 1", "right"),
        ("```python\ndef f(x):\n    return x\n```", "wrong"),
        ("```python\nimport sys\nsys.exit(0)\n```", "wrong"),
        ("```python\ndef f(x):\n    while True: pass\n```", "wrong"),
        ("I cannot write this function.", "unreadable"),
    ],
)
def test_unit_tests(answer: str, expected: str) -> None:
    tests = {"by": "tests", "seconds": 1}
    assert result(tests, answer, ["assert f(1) == 2", "assert f(2) == 3"]) == expected
    assert OPTION.validate_python(tests).faults() == []


def test_tests_are_never_run_with_less(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: Any) -> Ran:
        return Ran(Ended.REFUSED, "namespaces: Operation not permitted")

    monkeypatch.setattr(verifiers_code, "run_python", refused)
    with pytest.raises(StageFailed, match="Operation not permitted"):
        result("tests", "x = 1", "assert x")
    monkeypatch.setattr(verifiers_code, "sandbox_fault", lambda: "programs cannot be shut in here")
    assert OPTION.validate_python("tests").faults() == ["programs cannot be shut in here"]


def test_the_longest_block_is_the_program() -> None:
    answer = "```python\nf = 1\n```\nUse it:\n```bash\npip install everything there is\n```\n```py\nprint(f + f)\n```"
    assert python_in(answer) == "print(f + f)\n"
    assert python_in("# only a comment") is None and python_in("There is no program.") is None


def test_an_unknown_verifier_or_option_is_told() -> None:
    for wrong, told in (
        ("numbre", "did you mean number"),
        ({"by": "test"}, "did you mean tests"),
        ({}, "no `by:`; known"),
    ):
        with pytest.raises(ValidationError, match=told):
            OPTION.validate_python(wrong)
    with pytest.raises(ValidationError, match="tolerence"):
        OPTION.validate_python({"by": "number", "tolerence": 0.1})


@pytest.mark.parametrize("option", ["number", "formula", "text", {"by": "pattern", "pattern": "(a+)b"}, "json"])
def test_no_answer_raises(option: Any) -> None:
    """Whatever a model writes, a verifier gives one of its three results."""
    rng, verifier = random.Random(4), OPTION.validate_python(option)
    pieces = [
        "\\boxed{",
        "}",
        "{",
        "\\frac",
        "1",
        "e9",
        "/0",
        "%",
        "####",
        " the answer is ",
        "\n",
        "é",
        "\ud800",
        "[",
        '"',
        "a",
    ]
    for _ in range(800):
        answer, reference = ("".join(rng.choices(pieces, k=rng.randrange(12))) for _ in range(2))
        assert asyncio.run(verifier.verify(answer, reference)).result in ("right", "wrong", "unreadable")


def test_references_are_asked_for_where_they_are_needed() -> None:
    number, pattern = OPTION.validate_python("number"), OPTION.validate_python({"by": "pattern", "pattern": "a"})
    assert reference_columns(number, "gold") == ("gold",) and reference_columns(pattern, "gold") == ("gold?",)
    assert reference_columns(None, "gold") == ()
    assert reference_of({"gold": {"text": "4"}}, "gold", number) == "4"
    assert reference_of({}, "gold", pattern) is None
    with pytest.raises(Dropped, match="no reference"):
        reference_of({"gold": " "}, "gold", number)


def test_real_worked_solutions_are_told_apart(data: Path) -> None:
    """591 pairs of worked solutions: each reference solution is right by its own last line; labels agree."""
    with gzip.open(data / "preferences" / "gsm8k_solutions.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    verdicts = [
        (result("number", r["chosen"], r["chosen"]), result("number", r["rejected"], r["chosen"])) for r in rows
    ]
    right = sum(chosen == "right" for chosen, _ in verdicts)
    wrong = sum(rejected != "right" for _, rejected in verdicts)
    assert right == len(rows) and wrong >= 0.97 * len(rows)
