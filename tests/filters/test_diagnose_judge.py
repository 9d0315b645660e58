"""`diagnose.judge` on judges whose biases are known: recovered, refused, told in the report."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rather.core.errors import InputError, RunError
from rather.core.row import ANSWER
from rather.filters.diagnose_judge import DiagnoseJudge, told_of
from rather.formats.report import build_report

from .. import frames
from ..fake_view import FakeRun
from ..oracle import Oracle, as_rows


def diagnosed(rows: pa.Table, tmp_path: Path, **options: Any) -> Mapping[str, Any]:
    facts = DiagnoseJudge(**options).sink(frames.TableFrame(rows), frames.SinkContext.at(tmp_path))
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert all(set(line) == {"measure", "value", "low", "high", "reading"} for line in facts["measures"])
    return facts


def value(facts: Mapping[str, Any], name: str) -> float:
    line = told_of(facts, name)
    assert line is not None, [entry["measure"] for entry in facts["measures"]]
    return float(line["value"])


def test_a_known_judge_is_recovered(tmp_path: Path) -> None:
    """Pull .6, length 1.2, ties 10 %, failures 5 % a call (so 1 - .95² a row)."""
    oracle = Oracle(quality=1.0, length=1.2, pull=0.6, ties=0.1, failing=0.05)
    facts = diagnosed(oracle.judged(8000, 1), tmp_path, order_is_truth=True)
    for name, truth, error in (
        ("pull of the first place (log-odds)", 0.6, 0.025),
        ("worth of length (log-odds at one sd)", 1.2, 0.05),
        ("ties", 0.1, 0.0024),
        ("rows without a verdict", 1 - 0.95**2, 0.0033),
        ("rows that ended unparsable", 1 - 0.95**2, 0.0033),
        ("no verdict, chosen shown first", 0.05, 0.0025),
    ):
        line = told_of(facts, name)
        assert line is not None and abs(line["value"] - truth) < 3.5 * error, line
        assert line["low"] <= line["value"] <= line["high"]
    assert told_of(facts, "first picked")["reading"] == "prefers the answer shown first"  # type: ignore[index]
    assert told_of(facts, "worth of length (log-odds at one sd)")["reading"] == "pays for length"  # type: ignore[index]
    assert facts["outcomes"]["unparsable"] == 8000 - facts["judged"] and not facts["refused"]


def test_agreement_stands_beside_the_floor_of_length(tmp_path: Path) -> None:
    """A judge that only counts characters agrees with people exactly as often as length does."""
    rows = Oracle().judged(3000, 2)
    sizes = [np.array([len(a["text"]) for a in rows[side].to_pylist()]) for side in ("chosen", "rejected")]
    longer = (np.sign(sizes[0] - sizes[1]) + 1) / 2
    human = np.where(np.random.default_rng(3).random(3000) < 0.7, longer, 1 - longer)
    human[longer == 0.5] = 0.5
    texts = [[a["text"] for a in rows[side].to_pylist()] for side in ("chosen", "rejected")]
    judged = as_rows(longer, longer, *texts, human=pa.array(human))
    facts = diagnosed(judged, tmp_path, human="human", refuse="warn")
    assert value(facts, "agrees with people") == value(facts, "floor: the longer wins") == pytest.approx(0.7, abs=0.03)
    assert told_of(facts, "agrees with people")["reading"] == "no better than length"  # type: ignore[index]
    assert value(facts, "longer answer preferred") == 1
    assert value(facts, "Cohen's κ with people") == pytest.approx(2 * 0.7 - 1, abs=0.06)
    assert value(facts, "calibration error") == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize(
    ("given", "swapped", "words"),
    [(1.0, 0.0, "shown first in 100%"), (0.0, 1.0, "shown second in 100%"), (0.5, 0.5, "tie in 100%")],
)
def test_a_judge_of_one_answer_is_refused(
    given: float, swapped: float, words: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = as_rows(np.full(60, given), np.full(60, swapped), ["long answer"] * 60, ["no"] * 60)
    with pytest.raises(RunError, match=words):
        diagnosed(rows, tmp_path)
    with caplog.at_level(logging.WARNING, "rather.filters"):
        facts = diagnosed(rows, tmp_path, refuse="warn")
    assert facts["refused"] and words in facts["why"] and "REFUSED" in caplog.text
    few = as_rows(np.full(4, given), np.full(4, swapped), ["a"] * 4, ["b"] * 4)
    assert not diagnosed(few, tmp_path)["refused"]


def test_a_leaning_judge_is_not_refused_and_a_nearly_constant_one_is(tmp_path: Path) -> None:
    assert not diagnosed(Oracle(quality=1.5, first=0.5).judged(400, 4), tmp_path)["refused"]
    with pytest.raises(RunError, match="follow the place"):
        diagnosed(Oracle(quality=1.5, first=0.96).judged(400, 4), tmp_path)


def test_one_order_shows_no_place_and_a_constant_score_is_refused(tmp_path: Path) -> None:
    rows = Oracle(length=1.0).judged(500, 5).drop_columns(["judge_second", "judge_flip"])
    facts = diagnosed(rows, tmp_path)
    assert told_of(facts, "first picked") is None and told_of(facts, "entropy of verdicts (bits)") is None
    assert told_of(facts, "longer answer preferred") is not None
    scores = {side: pa.array([7.0] * 40) for side in ("chosen_judge_score", "rejected_judge_score")}
    flat = frames.pairs(["p"] * 40, ["a"] * 40, ["b"] * 40, **scores)
    with pytest.raises(RunError, match="gives 7 to 100%"):
        diagnosed(flat, tmp_path, score="judge_score")


def test_scores_stand_for_verdicts_where_there_are_none(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    scores = {f"{side}_judge_score": pa.array(rng.integers(1, 6, 300).astype(float)) for side in ("chosen", "rejected")}
    facts = diagnosed(
        frames.pairs([f"p{k % 9}" for k in range(300)], ["a"] * 300, ["b"] * 300, **scores),
        tmp_path,
        score="judge_score",
    )
    assert value(facts, "values of the scale used") == 5
    assert value(facts, "ties") == pytest.approx(0.2, abs=0.07)
    with pytest.raises(InputError, match="judge.pairwise"):
        diagnosed(frames.pairs(["p"], ["a"], ["b"]), tmp_path)


def test_groups_kin_and_margins_are_told_apart(tmp_path: Path) -> None:
    n = 400
    rng = np.random.default_rng(7)
    right = np.where(np.arange(n) % 2 == 0, rng.random(n) < 0.9, rng.random(n) < 0.4).astype(float)
    swapped = np.where(rng.random(n) < 0.3, 1 - right, right)
    rows = as_rows(
        right, swapped, ["aa"] * n, ["b"] * n, topic=pa.array(["sums", "verse"] * (n // 2)),
        gap=pa.array(np.where(right == swapped, 2.0, 0.1)),
    )  # fmt: skip
    for side, name in (("chosen", "Acme-7b"), ("rejected", "other")):
        answers = [answer | {"model": name} for answer in rows[side].to_pylist()]
        rows = rows.set_column(rows.column_names.index(side), side, pa.array(answers, ANSWER))
    facts = diagnosed(rows, tmp_path, by="topic", kin="acme", margin="gap", order_is_truth=True)
    groups = {part["group"]: part for part in facts["groups"]}
    assert groups["sums"]["accuracy"] > 0.75 > 0.55 > groups["verse"]["accuracy"]
    assert groups["sums"]["rows"] == 200 and groups["sums"]["longest_wins"] == 1
    assert value(facts, "agrees with people: sums") == groups["sums"]["accuracy"]
    assert value(facts, "win rate of its own kin, less that by people") == pytest.approx(
        rows["judge_p"].to_numpy().mean() - 1, abs=1e-4
    )
    flips = facts["flips_by_margin"]
    assert flips[0]["flips"] > 0.9 and flips[-1]["flips"] == 0 and sum(part["rows"] for part in flips) == n


def test_human_words_and_numbers_are_understood_and_others_are_not(tmp_path: Path) -> None:
    rows = Oracle().judged(90, 8)
    for labels in (["chosen", "rejected", "tie"] * 30, [True, False, None] * 30, [1.0, 0.0, 0.5] * 30):
        assert told_of(diagnosed(rows.append_column("gold", pa.array(labels)), tmp_path), "agrees with people")
    with pytest.raises(InputError, match="gold is 'left'"):
        diagnosed(rows.append_column("gold", pa.array(["left"] * 90)), tmp_path)
    with pytest.raises(InputError, match=r"outside \[0, 1\]"):
        diagnosed(rows.append_column("gold", pa.array([3.0] * 90)), tmp_path)


def test_nothing_judged_is_said_not_broken(tmp_path: Path) -> None:
    none = np.full(30, np.nan)
    facts = diagnosed(as_rows(none, none, ["a"] * 30, ["b"] * 30), tmp_path)
    assert facts["judged"] == 0 and value(facts, "rows without a verdict") == 1 and not facts["refused"]
    empty = Oracle().judged(3, 1).slice(0, 0)
    assert diagnosed(empty, tmp_path)["rows"] == 0


def test_batches_do_not_change_a_figure(tmp_path: Path) -> None:
    rows = Oracle(length=0.5, first=0.2).judged(500, 9)
    whole = diagnosed(rows, tmp_path, order_is_truth=True)
    odd = DiagnoseJudge(order_is_truth=True).sink(frames.OddFrame(rows, 37), frames.SinkContext.at(tmp_path))
    assert whole == odd


def test_the_report_shows_the_diagnosis(tmp_path: Path) -> None:
    rows = as_rows(np.ones(60), np.zeros(60), ["a <b>"] * 60, ["b"] * 60)
    run = FakeRun().source(rows).sink("diagnose.judge", diagnosed(rows, tmp_path, refuse="warn"))
    page = build_report(run)
    assert "Refused." in page and "follow the place" in page and "first picked" in page
    assert "prefers the answer shown first" in page and page.count("<svg") > 3
