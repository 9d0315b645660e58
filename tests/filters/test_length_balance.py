"""Word counts and the ratio that balances them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rather.core.row import text_answers, text_messages
from rather.filters.length import Length
from rather.filters.length_balance import RATIOS, LengthBalance, balancing_ratio, relative_lead

from ..narrows import narrow_of


def reasons(folder: Path, chosen: list[Any], rejected: list[Any], **options: Any) -> list[str | None]:
    narrow = narrow_of(folder, {"chosen_words": chosen, "rejected_words": rejected})
    return LengthBalance(**options).select(narrow).to_pylist()


def test_rejected_is_brought_down(tmp_path: Path) -> None:
    """Pairs (10, 10), (12, 10), (10, 20), (10, 40): leads of the rejected 0, -.2, .5, .75.

    All kept: 42 against 80. Up to .5: 32 against 40, imbalance .2. Below .5: 22 against 20, .1: the
    least. Every ratio from 0 to .48 keeps those two, so the largest, .48, is the one told.
    """
    found = reasons(tmp_path, [10, 12, 10, 10], [10, 10, 20, 40])
    assert found == [None, None, *["rejected longer by more than 48%"] * 2]


def test_the_longer_side_is_found(tmp_path: Path) -> None:
    """The mirror of the case above: (10, 11) ends best, at |20 - 22| / 22, and the rest go."""
    found = reasons(tmp_path, [10, 10, 20, 40], [10, 12, 10, 10])
    assert found == [None, None, *["chosen longer by more than 48%"] * 2]
    assert reasons(tmp_path, [10, 10, 20, 40], [10, 12, 10, 10], longer="rejected") == [None] * 4


def test_missing_counts_and_empty_answers(tmp_path: Path) -> None:
    """(0, 5) leads by 1 and goes; (5, 5) is left, in balance; (0, 0) has no lead."""
    assert reasons(tmp_path, [None, 0, 5, 0], [3, 5, 5, 0]) == [
        "no word count", "rejected longer by more than 98%", None, None,
    ]  # fmt: skip
    assert reasons(tmp_path, [None], [2]) == ["no word count"]


def test_the_ratio_is_the_best_of_all_tried() -> None:
    """Against the rule as written, each ratio tried on its own."""
    rng = np.random.default_rng(8)
    chosen, rejected = (rng.integers(0, 60, 400).astype(float) for _ in range(2))
    rejected += rng.integers(0, 30, 400)
    lead = relative_lead(rejected, chosen)
    imbalances = []
    for ratio in RATIOS:
        kept = lead <= ratio
        imbalances.append(abs(chosen[kept].mean() - rejected[kept].mean()) / rejected[kept].mean())
    best = balancing_ratio(lead, chosen, rejected)
    assert best == pytest.approx(RATIOS[int(np.argmin(imbalances))])
    assert min(imbalances) < 0.5 * imbalances[-1]


def test_length_scores() -> None:
    batch = pa.table(
        {
            "prompt": text_messages(pa.array(["Why is that?", None])),
            "chosen": text_answers(pa.array(["Één zin\nhier.", None])),
            "note": pa.array(["", "two words"]),
        }
    )
    stage = Length(of=("prompt", "chosen", "note"))
    columns = {name: pa.array(values).to_pylist() for name, values in stage.score(batch, None).items()}  # type: ignore[arg-type]
    assert columns == {
        "prompt_words": [3, None], "prompt_chars": [12, None], "chosen_words": [3, None],
        "chosen_chars": [13, None], "note_words": [0, 2], "note_chars": [0, 9],
    }  # fmt: skip
    assert set(columns) == {column.name for column in stage.columns_written()}
