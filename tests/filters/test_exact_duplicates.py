"""Exact duplicates, from hashes of real rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from rather.core.hashing import hash_column
from rather.core.row import ANSWER, text_answers
from rather.filters.answer_hash import AnswerHash
from rather.filters.exact_duplicates import ExactDuplicates

from ..narrows import narrow_of

BOTH_WAYS = "the same pair is labelled both ways"


def hashes(side: pa.Array) -> pa.Array:
    column = AnswerHash(of=("chosen",)).score(pa.table({"chosen": side}), None)["chosen_hash"]  # type: ignore[arg-type]
    assert isinstance(column, pa.Array)
    return column


def pairs(folder: Path, rows: list[tuple[str, str, str]], **options: Any) -> list[str | None]:
    prompt, chosen, rejected = (pa.array(column, pa.string()) for column in zip(*rows, strict=True))
    columns = {
        "prompt_hash": pa.array(hash_column(prompt)),
        "chosen_hash": hashes(text_answers(chosen)),
        "rejected_hash": hashes(text_answers(rejected)),
    }
    return ExactDuplicates(of="pair", **options).select(narrow_of(folder, columns)).to_pylist()


def test_rows_keep_their_first(tmp_path: Path) -> None:
    narrow = narrow_of(tmp_path, {"content_hash": [5, 9, 5, 2**64 - 1, 9, 5]})
    expected = [None, None, "duplicate", None, "duplicate", "duplicate"]
    assert ExactDuplicates().select(narrow).to_pylist() == expected


ROWS = [("p", "a", "b"), ("p", "b", "a"), ("q", "a", "b"), ("p", "a", "b"), ("p", "c", "c"), ("p", "a", "d")]


def test_swapped_labels_are_dropped_both(tmp_path: Path) -> None:
    """Rows 0, 1 and 3 are one pair in both orders; q asks something else; c against c is no contradiction."""
    assert pairs(tmp_path, ROWS) == [BOTH_WAYS, BOTH_WAYS, None, BOTH_WAYS, None, None]


def test_swapped_labels_keep_the_first(tmp_path: Path) -> None:
    assert pairs(tmp_path, ROWS, swapped="first") == [None, BOTH_WAYS, None, "duplicate", None, None]


def test_swapped_labels_are_kept(tmp_path: Path) -> None:
    assert pairs(tmp_path, ROWS, swapped="keep") == [None, None, None, "duplicate", None, None]


def test_one_pair_a_chosen_answer_counts_only_what_is_left(tmp_path: Path) -> None:
    """Row 5 shares p and a with rows 0 and 3: those go as contradictions, so with `drop` it may stay."""
    told = "the prompt has a pair with the same chosen answer"
    assert pairs(tmp_path, ROWS, same_chosen=True)[5] is None
    assert pairs(tmp_path, ROWS, same_chosen=True, swapped="keep")[5] == told
    rows = [("p", "a", "z"), ("p", "b", "z"), ("q", "c", "z")]
    assert pairs(tmp_path, rows, same_rejected=True) == [None, told.replace("chosen", "rejected"), None]


def test_three_way_agreement_of_counts(tmp_path: Path) -> None:
    """2,000 random small pairs against a dictionary that walks the rows."""
    import random

    rng = random.Random(5)
    rows = [(rng.choice("pqrs"), rng.choice("abcdefgh"), rng.choice("abcdefgh")) for _ in range(2000)]
    seen: set[tuple[str, str, str]] = set()
    expected: list[str | None] = []
    for prompt, chosen, rejected in rows:
        if (prompt, rejected, chosen) in seen and chosen != rejected and (prompt, chosen, rejected) not in seen:
            expected.append(BOTH_WAYS)
            continue
        expected.append("duplicate" if (prompt, chosen, rejected) in seen else None)
        seen.add((prompt, chosen, rejected))
    assert pairs(tmp_path, rows, swapped="first") == expected


def test_hash_is_of_content_not_of_authorship() -> None:
    plain: dict[str, Any] = {"text": "a", "turns": None, "image": None, "model": None, "made_by": None}
    image = {"bytes": b"x", "path": None}
    rows = [plain, plain | {"model": "m"}, plain | {"image": image}, plain | {"text": None, "image": image}, None]
    first, second, third, fourth, missing = hashes(pa.array(rows, ANSWER)).to_pylist()
    assert first == second
    assert len({first, third, fourth}) == 3
    assert missing is None


def test_reads_and_faults() -> None:
    assert ExactDuplicates().columns_read() == ("content_hash",)
    assert ExactDuplicates(of="pair").columns_read() == ("prompt_hash", "chosen_hash", "rejected_hash")
    assert not ExactDuplicates(of="pair", same_chosen=True).faults()
    (fault,) = ExactDuplicates(same_chosen=True).faults()
    assert "of: pair" in fault


@pytest.mark.parametrize("of", ["row", "pair"])
def test_no_rows(tmp_path: Path, of: Any) -> None:
    empty = pa.array([], pa.uint64())
    columns = dict.fromkeys(("content_hash", "prompt_hash", "chosen_hash", "rejected_hash"), empty)
    assert ExactDuplicates(of=of, same_chosen=of == "pair").select(narrow_of(tmp_path, columns)).to_pylist() == []
