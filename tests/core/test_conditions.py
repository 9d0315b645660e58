"""`if: model NAME`, and a whole model given by one `--set`."""

from __future__ import annotations

from pathlib import Path

import pytest
from rather.core.errors import InputError, RecipeError
from rather.core.hints import holds

from ..runs import run_text

CHAIN = """
name: judged
seed: 3
stages:
  - demo.read: {rows: 40}
  - demo.chars
  - demo.short: {}
    if: model judge
  - demo.copies: {}
    if: not model judge
"""
JUDGE = "models.judge={use: fake_chat, name: j, low: 2}"


def test_a_stage_that_waits_for_a_model(tmp_path: Path) -> None:
    without, with_it = run_text(CHAIN, tmp_path / "a"), run_text(CHAIN, tmp_path / "b", JUDGE)
    told = {count.stage: count.skipped for count in without.funnel}
    assert told["demo.short"] == "if: model judge" and told["demo.copies"] is None
    told = {count.stage: count.skipped for count in with_it.funnel}
    assert told["demo.short"] is None and told["demo.copies"] == "if: not model judge"
    assert "low: 2" in with_it.recipe and "fake_chat" in with_it.recipe


def test_one_option_after_the_whole_model(tmp_path: Path) -> None:
    view = run_text(CHAIN, tmp_path / "a", JUDGE, "models.judge.low=4")
    assert "low: 4" in view.recipe


def test_what_is_no_model_and_no_condition_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="models.judge is a model"):
        run_text(CHAIN, tmp_path / "a", "models.judge=gpt")
    with pytest.raises(RecipeError, match="model NICKNAME"):
        holds("model")
    assert holds("not model a", {"b"}) and not holds("model a", {"b"})
