"""Labels a whole panel contradicts: what all means with ties, with replies nobody can read, and with few."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rather.core.errors import InputError
from rather.filters.ambiguous import Ambiguous

from ..runs import run_text

GONE = "every model contradicts the label"


def reasons(votes: Any, **options: Any) -> list[str | None]:
    return list(Ambiguous(votes="votes", **options).why_drop(pa.table({"votes": votes})).to_pylist())


def test_all_contradict_when_no_vote_is_for_the_label_or_a_tie() -> None:
    votes = [[0.0, 0.2, 0.49], [0.0, 0.0, 1.0], [0.0, 0.0, 0.5], [1.0, 1.0, 1.0]]
    assert reasons(votes) == [GONE, None, None, None]


def test_a_reply_that_cannot_be_read_is_no_vote() -> None:
    """Two votes of three, all against: enough for a quorum of two, not of three, whatever the third would say."""
    votes = [[0.0, None, 0.0], [0.0, None, 1.0], [None, None, None], None, [], [0.0, 0.0, None, 0.0]]
    assert reasons(votes, quorum=2) == [GONE, None, None, None, None, GONE]
    assert reasons(votes) == [None, None, None, None, None, GONE]
    few = "too few votes"
    assert reasons(votes, unjudged=False) == [few, few, few, few, few, GONE]


def test_right_and_wrong_answers_are_votes_too() -> None:
    assert reasons([[False, False, False], [False, True, False], [False, None, False]]) == [GONE, None, None]
    assert reasons(pa.chunked_array([[[0, 0, 0]], [[0, 1, 0], [0, 0, 0]]])) == [GONE, None, GONE]


def test_what_is_no_vote_is_refused() -> None:
    with pytest.raises(InputError, match="7 is no vote"):
        reasons([[1, 7, 0]])
    with pytest.raises(InputError, match="holds no votes"):
        reasons([0.5])


def test_the_ledger_is_the_list_to_review(tmp_path: Path) -> None:
    votes = [[0.0, 0.1, 0.0], [1.0, 0.0, 0.0]]
    rows = {"prompt": ["p", "q"], "chosen": ["a", "c"], "rejected": ["b", "d"], "panel_p_by_judge": votes}
    pq.write_table(pa.table(rows), tmp_path / "x.parquet")
    recipe = f"name: x\nstages:\n  - read.pairs: {{path: {tmp_path / 'x.parquet'}}}\n  - filter.ambiguous: {{}}\n"
    view = run_text(recipe, tmp_path / "run")
    assert view.frame("filter.ambiguous").table(["prompt"])["prompt"].to_pylist()[0][0]["content"] == "q"
    (gone,) = view.dropped("filter.ambiguous").to_pylist()
    assert gone["reason"] == GONE
