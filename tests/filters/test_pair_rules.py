"""Pairs by direction, by a draw, and across prompts."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rather.core.errors import InputError, RatherError
from rather.core.row import text_answers, text_messages
from rather.core.stage import Drop, Map
from rather.filters.cross_draw import against_fails, among_passes, ties_wanted
from rather.filters.pair_angle import PairAngle
from rather.filters.pair_bt_label import PairBtLabel, bt_probability
from rather.filters.pair_cross_prompt import CrossPartners
from rather.filters.score_pool_z import PoolZ, standardised

from ..judges import FakeContext
from ..narrows import narrow_of
from ..runs import run_text


class Chance:
    """The one thing a pair builder asks of its context: a generator of the row's own."""

    def rng(self, row_id: str) -> random.Random:
        return random.Random(row_id)


def made(stage: Map, **row: Any) -> Any:
    return asyncio.run(stage.map({"id": "r"} | row, Chance()))  # type: ignore[arg-type]


def answers(letters: str) -> list[dict[str, Any]]:
    return [{"text": letter, "image": None} for letter in letters]


def angled(text: list[Any], image: list[Any], **options: Any) -> Any:
    found = made(
        PairAngle(text="t", image="i", **options), candidates=answers("abcdefgh"[: len(text)]), t=text, i=image
    )
    if isinstance(found, Drop):
        return found
    return [(r["chosen"]["text"] + r["rejected"]["text"], round(r["angle"], 4), round(r["margin"], 4)) for r in found]


def test_both_scores_must_improve() -> None:
    assert angled([1, 0], [1, 0]) == [("ab", 45, round(math.sqrt(2), 4))]
    assert angled([1, 0], [0, 1]) == Drop("no pair in the window", {"candidates": 2}), "a trade is no improvement"
    assert angled([1, 0], [0.1, 0]) == Drop("no pair in the window", {"candidates": 2}), "5.7 degrees: text alone"
    assert angled([0, 0], [0, 0], low=0) == Drop("no pair in the window", {"candidates": 2})


def test_the_window_moves_from_text_to_image() -> None:
    text, image = [0, math.cos(math.radians(30)), math.cos(math.radians(60))], [0, 0.5, math.sin(math.radians(60))]
    assert angled(text, image, low=20, high=40) == [("ba", 30, 1)]
    assert angled(text, image, low=50, high=70) == [("ca", 60, 1)]
    assert [pair for pair, _, _ in angled(text, image)] == ["ba", "ca"], "of equal length in the order they stand"


def test_short_steps_are_noise_and_pairs_are_capped() -> None:
    assert angled([0.1, 0], [0.1, 0]) == Drop("pairs in the window are too short", {"longest": math.hypot(0.1, 0.1)})
    assert angled([0.1, 0], [0.1, 0], least_norm=0.1) == [("ab", 45, round(math.hypot(0.1, 0.1), 4))]
    ladder = [0, 1, 2, 3]
    assert [pair for pair, _, _ in angled(ladder, ladder, most=2)] == ["da", "ca"]
    assert len(angled(ladder, ladder, most=None)) == 6
    drawn = [pair for pair, _, _ in angled(ladder, ladder, most=2, pick="sample")]
    assert drawn == [pair for pair, _, _ in angled(ladder, ladder, most=2, pick="sample")] and len({*drawn}) == 2


def test_angle_needs_two_scores_of_a_candidate() -> None:
    assert angled([1, None, 0], [1, 1, None]) == Drop("fewer than two scored candidates", {"scored": 1})
    assert PairAngle(low=80, high=70).faults() and PairAngle(text="a", image="a").faults() and not PairAngle().faults()


def test_scores_are_standardised_over_the_pool(tmp_path: Path) -> None:
    lists = pa.array([[1.0, None, 3.0], None, [], [5.0, math.nan]])
    z = standardised(lists).to_pylist()
    spread = np.std([1, 3, 5])
    assert z[0] == [pytest.approx(-2 / spread), None, pytest.approx(0)] and z[1] is None and z[2] == []
    assert z[3] == [pytest.approx(2 / spread), None]
    assert standardised(pa.array([[2.0, 2.0], [None]])).to_pylist() == [[0.0, 0.0], [None]]
    narrow = narrow_of(tmp_path, {"a": lists, "b": pa.array([[1, 2], None, [], [3]])})
    found = PoolZ(scores=("a", "b")).fit(narrow, FakeContext({}))
    assert list(found) == ["a_z", "b_z"] == [c.name for c in PoolZ(scores=("a", "b")).columns_written()]
    assert found["b_z"].to_pylist()[3] == [pytest.approx(1 / np.std([1, 2, 3]))]


@pytest.mark.parametrize(("tau", "p"), [(1.0, 0.5250), (0.1, 0.7311)])
def test_chances_of_bradley_terry(tau: float, p: float) -> None:
    assert bt_probability(0.75 - 0.65, tau) == pytest.approx(p, abs=5e-5)
    assert bt_probability(-1e9) == 0 and bt_probability(0) == 0.5


def drawn(rewards: list[Any], row_id: str = "r", **options: Any) -> Any:
    return made(PairBtLabel(score="s", **options), id=row_id, candidates=answers("abcd"[: len(rewards)]), s=rewards)


def test_labels_follow_their_chances_and_keep_them() -> None:
    rows = [drawn([0.75, 0.65], f"row {k}", temperature=0.1)[0] for k in range(2000)]
    won = [row["chosen"]["text"] == "a" for row in rows]
    assert np.mean(won) == pytest.approx(0.7311, abs=0.03), "three standard errors"
    for row, first in zip(rows[:50], won, strict=False):
        assert row["p_chosen"] == pytest.approx(0.7311 if first else 0.2689, abs=5e-5)
        assert row["margin"] == pytest.approx(0.1 if first else -0.1) and row["verdict"] == "prefer"
        assert (row["chosen_s"], row["rejected_s"]) == ((0.75, 0.65) if first else (0.65, 0.75))


def test_each_pair_has_a_draw_of_its_own_and_the_same_again() -> None:
    once, again = drawn([0.5, 0.5, 0.5, 0.5]), drawn([0.5, 0.5, 0.5, 0.5])
    assert once == again and len(once) == 6
    orders = {tuple(r["chosen"]["text"] < r["rejected"]["text"] for r in drawn([0.5] * 4, f"{k}")) for k in range(9)}
    assert len(orders) > 3
    few = drawn([0.5] * 4, most=2)
    assert len(few) == 2 and all(row in once for row in few), "how many are kept does not change a draw"
    assert drawn([0.5, None]) == Drop("fewer than two scored candidates", {"scored": 1})


def test_references_meet_each_candidate() -> None:
    stage = PairBtLabel(score="s", against="chosen", temperature=1e-6)
    assert set(stage.columns_read()) == {"candidates", "s", "chosen", "chosen_s"}
    row = {"candidates": answers("abc"), "s": [0.5, None, 0.9], "chosen": answers("R")[0], "chosen_s": 0.7}
    pairs = [(r["chosen"]["text"], r["rejected"]["text"], r["chosen_s"]) for r in made(stage, **row)]
    assert pairs == [("R", "a", 0.7), ("c", "R", 0.9)]
    assert made(stage, **row | {"chosen_s": None}) == Drop("the chosen answer has no reward")


@pytest.mark.parametrize(
    ("wins", "losses", "most", "cap"), [(10, 3, 4, 2), (3, 10, 4, 2), (5, 5, 9, 3), (1, 0, 2, 2), (40, 7, 3, 4)]
)
def test_no_item_floods_the_set(wins: int, losses: int, most: int, cap: int) -> None:
    passes, fails = np.arange(wins), np.arange(100, 100 + losses)
    chosen, rejected = against_fails(passes, fails, most, cap, np.random.default_rng(1))
    pairs = list(zip(chosen.tolist(), rejected.tolist(), strict=True))
    assert (
        len({*pairs}) == len(pairs)
        and {*chosen.tolist()} <= {*passes.tolist()}
        and {*rejected.tolist()} <= {*fails.tolist()}
    )
    assert max(Counter(chosen.tolist()).values(), default=0) <= most
    assert max(Counter(rejected.tolist()).values(), default=0) <= cap
    assert bool(pairs) == bool(losses)


@pytest.mark.parametrize(
    ("n", "wanted", "cap"), [(2, 5, 3), (7, 6, 1), (7, 100, 4), (6, 100, 5), (1, 3, 3), (0, 1, 1), (9, 9, 3)]
)
def test_ties_are_of_two_passes_each_once(n: int, wanted: int, cap: int) -> None:
    first, second = among_passes(np.arange(n), wanted, cap, np.random.default_rng(2))
    pairs = [tuple(sorted(pair)) for pair in zip(first.tolist(), second.tolist(), strict=True)]
    assert len({*pairs}) == len(pairs) <= wanted and all(a != b for a, b in pairs)
    assert max(Counter(first.tolist() + second.tolist()).values(), default=0) <= cap
    assert bool(pairs) == (n > 1)
    if n == 6:
        assert len(pairs) == 15, "all of them where the cap allows it"


def test_share_of_ties() -> None:
    assert ties_wanted(30, 0.5) == 30 and ties_wanted(30, 0.25) == 10 and ties_wanted(30, 0) == 0


def source(path: Path, passed: list[Any], **more: Any) -> Path:
    n = len(passed)
    columns = {
        "prompt": text_messages(pa.array([f"prompt {k}" for k in range(n)])),
        "chosen": text_answers(pa.array([f"answer {k}" for k in range(n)])),
        "passed": pa.array(passed),
    }
    pq.write_table(pa.table(columns | {name: pa.array(values) for name, values in more.items()}), path)
    return path


RECIPE = """
name: cross
stages:
  - read.rows: {{path: '{path}'}}
  - score.cross_partners: {{most: 2, cap: 2, ties: 0.5{more}}}
  - pair.cross_prompt
  - write.parquet: {{path: data, dialect: {dialect}}}
"""


def test_passes_meet_fails_and_passes_of_any_prompt(tmp_path: Path) -> None:
    passed = [True] * 6 + [False] * 5 + [None]
    rows = source(tmp_path / "rows.parquet", passed)
    view = run_text(RECIPE.format(path=rows, dialect="soli_cross", more=""), tmp_path / "run")
    table = view.frame("pair.cross_prompt").table().to_pylist()
    number = [(int(r["chosen"]["text"].split()[1]), int(r["rejected"]["text"].split()[1])) for r in table]
    for (won, lost), row in zip(number, table, strict=True):
        assert passed[won] is True and (passed[lost] is True) == (row["verdict"] == "tie") and passed[lost] is not None
        assert row["prompt_chosen"][0]["content"] == f"prompt {won}"
        assert row["prompt_rejected"][0]["content"] == f"prompt {lost}" and row["partners"] is None
    verdicts = Counter(row["verdict"] for row in table)
    assert 0.4 <= verdicts["tie"] / len(table) <= 0.5 and verdicts["prefer"] >= 6
    assert view.dropped("pair.cross_prompt")["reason"].to_pylist() == ["no partner drawn"] * 6
    written = pq.read_table(tmp_path / "run/data/data").to_pylist()
    assert len(written) == len(table) and Counter(row["mu"] for row in written) == {
        1.0: verdicts["prefer"],
        0.5: verdicts["tie"],
    }


def test_dpo_refuses_pairs_across_prompts(tmp_path: Path) -> None:
    rows = source(tmp_path / "rows.parquet", [True, False, True])
    with pytest.raises(RatherError, match="across prompts"):
        run_text(RECIPE.format(path=rows, dialect="trl_preference", more=""), tmp_path / "run")


def test_only_what_was_judged_on_the_same_thing_meets(tmp_path: Path) -> None:
    kinds = ["physics", "hands"] * 6
    rows = source(tmp_path / "rows.parquet", [k % 4 < 2 for k in range(12)], kind=kinds)
    view = run_text(RECIPE.format(path=rows, dialect="rather", more=", dimension: kind"), tmp_path / "run")
    pairs = view.frame("pair.cross_prompt").table(["chosen", "rejected"]).to_pylist()
    numbers = [[int(row[side]["text"].split()[1]) for side in ("chosen", "rejected")] for row in pairs]
    assert len(numbers) > 8 and all(kinds[a] == kinds[b] for a, b in numbers)


@pytest.mark.parametrize("labels", [["yes", "no"], [0.5, 1.0]])
def test_labels_are_truth_values(tmp_path: Path, labels: list[Any]) -> None:
    columns = {
        "id": ["a", "b"],
        "prompt": text_messages(pa.array(["p", "q"])),
        "chosen": text_answers(pa.array(["x", "y"])),
    }
    narrow = narrow_of(tmp_path, columns | {"passed": labels})
    with pytest.raises(InputError, match="label"):
        CrossPartners().fit(narrow, FakeContext({}))


def test_without_passes_or_fails_there_is_nothing_to_pair(tmp_path: Path) -> None:
    columns = {
        "id": ["a", "b"],
        "prompt": text_messages(pa.array(["p", "q"])),
        "chosen": text_answers(pa.array(["x", "y"])),
    }
    for labels in ([0, 0], [None, None], [1, 1]):
        narrow = narrow_of(tmp_path, columns | {"passed": pa.array(labels, pa.int64())})
        assert CrossPartners().fit(narrow, FakeContext({}))["partners"].to_pylist() == [[], []]
