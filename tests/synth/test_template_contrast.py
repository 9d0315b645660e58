"""Minimal pairs from a slot grammar: by hand, all different, exact labels, and grammars that are wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from rather.core.errors import InputError, RecipeError
from rather.synth.slot_grammar import PACKAGED, Grammar, read_grammar
from rather.synth.template_contrast import TemplateContrast

from ..runs import run_text

SMALL: dict[str, Any] = {
    "question": "Which colour?",
    "entities": [["cat", "dog"]],
    "attributes": {"red": {"plain": "red"}, "blue": {"plain": "blue"}},
    "introductions": ["The {who} wore {plain}.", "{Plain} was the {who}'s hat."],
    "continuations": ["So {plain} it was."],
    "tasks": [{"form": "plain", "text": "The {who} likes {blank}."}],
}


def rows(stage: TemplateContrast, *columns: str) -> list[dict[str, Any]]:
    return [row for batch in stage.batches(columns or None) for row in batch.to_pylist()]


@pytest.fixture
def small(tmp_path: Path) -> str:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL), encoding="utf-8")
    return str(path)


def test_every_text_of_a_small_grammar_by_hand() -> None:
    """One task, one pair of roles, two attributes for the first and one left for the other, two ways to begin."""
    grammar = Grammar.model_validate(SMALL)
    assert [grammar.size(d) for d in (0, 1, 2)] == [4, 4, 4]
    texts = [grammar.text(k, 1) for k in range(4)]
    assert [(t.prompt.splitlines()[0], t.chosen, t.rejected) for t in texts] == [
        ("The cat wore red. Blue was the dog's hat. The cat likes ___.", "The cat likes red.", "The cat likes blue."),
        ("The cat wore blue. Red was the dog's hat. The cat likes ___.", "The cat likes blue.", "The cat likes red."),
        ("Red was the cat's hat. The dog wore blue. The cat likes ___.", "The cat likes red.", "The cat likes blue."),
        ("Blue was the cat's hat. The dog wore red. The cat likes ___.", "The cat likes blue.", "The cat likes red."),
    ]
    assert texts[0].prompt.endswith("___.\n\nWhich colour?")
    assert "So blue it was. The cat likes" in grammar.text(0, 2).prompt
    assert "blue" not in grammar.text(0, 0).prompt and grammar.text(0, 0).rejected == "The cat likes blue."


def test_a_whole_grammar_is_walked_without_repeats(small: str) -> None:
    stage = TemplateContrast(grammar=small, rows=12, distractors=(0, 1, 2))
    assert stage.faults() == []
    found = rows(stage)
    assert len({row["prompt"][0]["content"] + row["rejected"]["text"] for row in found}) == 12
    assert [row["distractors"] for row in found] == [0, 1, 2] * 4
    assert (
        "4 texts with 0 distractors, 5 are asked for"
        in TemplateContrast(grammar=small, rows=13, distractors=(0, 1, 2)).faults()[0]
    )


def test_a_row_in_full(small: str) -> None:
    [row] = [
        r for r in rows(TemplateContrast(grammar=small, rows=4, distractors=(1,))) if _begins(r, "The cat wore red")
    ]
    made = {"stage": "synth.template_contrast", "method": "slot grammar", "model": None, "seed": 13}
    blank = {"turns": None, "image": None, "model": None}
    assert row == {
        "prompt": [
            {
                "role": "user", "parts": None, "tool_calls": None,
                "content": "The cat wore red. Blue was the dog's hat. The cat likes ___.\n\nWhich colour?",
            }
        ],
        "chosen": {"text": "The cat likes red.", **blank, "made_by": made | {"params": '{"attribute":"red"}'}},
        "rejected": {"text": "The cat likes blue.", **blank, "made_by": made | {"params": '{"attribute":"blue"}'}},
        "verdict": "prefer", "distractors": 1, "entity": "cat", "other": "dog", "attribute": "red",
        "distractor_attribute": "blue", "form": "plain",
    }  # fmt: skip


def _begins(row: dict[str, Any], text: str) -> bool:
    return bool(row["prompt"][0]["content"].startswith(text))


def test_labels_are_exact_and_nothing_but_the_pronoun_differs() -> None:
    grammar = read_grammar(PACKAGED)
    found = rows(TemplateContrast(rows=1200))
    assert len({row["prompt"][0]["content"] for row in found}) > 1150
    for row in found:
        forms = {name: words[row["form"]] for name, words in grammar.attributes.items()}
        right, wrong = row["chosen"]["text"].split(), row["rejected"]["text"].split()
        differing = [(a.strip("."), b.strip(".")) for a, b in zip(right, wrong, strict=True) if a != b]
        assert differing == [(forms[row["attribute"]], forms[row["distractor_attribute"]])]
        prompt = row["prompt"][0]["content"].split("\n\n")[0]
        sentences = re.split(r"(?<=\.) ", prompt)
        assert len(sentences) == 2 + row["distractors"]
        held = {word.casefold() for word in re.findall(r"[A-Za-z]+", prompt)}
        others = {w for name, words in grammar.attributes.items() for w in words.values() if name != row["attribute"]}
        others -= set(grammar.attributes[row["attribute"]].values())
        assert bool(held & others) == (row["distractors"] > 0)
        assert row["entity"] in sentences[0] and row["entity"] in sentences[-1] and row["other"] not in sentences[-1]


def test_all_attributes_and_forms_come_up_evenly() -> None:
    found = rows(TemplateContrast(rows=4000, distractors=(2,)), "attribute", "form", "entity")
    assert set(found[0]) == {"attribute", "form", "entity"}
    for name, many in (("attribute", 4), ("form", 4), ("entity", 16)):
        counts = [sum(row[name] == value for row in found) for value in {row[name] for row in found}]
        assert len(counts) == many and min(counts) > 0.8 * 4000 / many


def test_equal_options_give_equal_rows_and_another_seed_others() -> None:
    stage = TemplateContrast(rows=60)
    assert rows(stage) == rows(stage) != rows(TemplateContrast(rows=60, seed=17))
    assert stage.fingerprint() == TemplateContrast(rows=60).fingerprint() != TemplateContrast(rows=61).fingerprint()
    assert stage.rows_expected() == 60 and stage.faults() == []
    assert list(stage.schema_names()) == list(rows(stage)[0])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"attributes": {"red": {"plain": "red"}, "blue": {"plain": "red"}}}, "alike in the form plain"),
        ({"attributes": {"red": {"plain": "red"}, "blue": {"other": "blue"}}}, "no form plain"),
        ({"attributes": {"red": {"plain": "red"}}}, "attributes"),
        ({"tasks": "none"}, "this is no grammar: tasks"),
        ({"colour": 1}, "colour"),
    ],
)
def test_a_wrong_grammar_is_a_fault_that_says_where(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(json.dumps(SMALL | change), encoding="utf-8")
    assert words in TemplateContrast(grammar=str(path), rows=2, distractors=(1,)).faults()[0]


def test_other_faults(small: str, tmp_path: Path) -> None:
    assert (
        "9 distractors, but the grammar has sentences for 2"
        in TemplateContrast(grammar=small, rows=2, distractors=(9,)).faults()[0]
    )
    assert "stands twice" in TemplateContrast(rows=2, distractors=(1, 1)).faults()[0]
    (tmp_path / "broken.yaml").write_text("a: [", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        read_grammar(tmp_path / "broken.yaml")
    with pytest.raises(RecipeError, match="sentences for 7"):
        run_text(
            "name: x\nseed: 1\nstages:\n- synth.template_contrast: {distractors: [8]}\n- write.parquet: {}\n", tmp_path
        )
