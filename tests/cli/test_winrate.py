"""`rather winrate`: from files and runs; our answers on either side; lengths and few human labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rather.cli.main import main
from rather.cli.winrate import WinRequest, print_win_rates
from rather.core.errors import InputError
from rather.core.logit import sigmoid
from rather.core.winrate import squashed

from ..runs import run_text


def judged(path: Path, n: int = 3000, labels: int = 300) -> Path:
    """True win rate of chosen .5 at equal length; the judge pays 2.5 for length, and chosen is longer."""
    rng = np.random.default_rng(0)
    sizes = np.maximum(rng.lognormal(3.6, 0.5, n), 1).astype(int), np.maximum(rng.lognormal(3.0, 0.5, n), 1).astype(int)
    wins = rng.random(n) < sigmoid(2.5 * squashed((sizes[0] - sizes[1]).astype(float)))
    human = np.where(rng.random(n) < 0.75, wins, ~wins)
    with path.open("w", encoding="utf-8") as file:
        for k in range(n):
            row = {
                "prompt": f"p{k}",
                "chosen": "a" * sizes[0][k],
                "rejected": "b" * sizes[1][k],
                "judge_p": float(wins[k]),
            }
            print(json.dumps(row | {"people": bool(human[k]) if k < labels else None}), file=file)
    return path


def test_length_is_taken_out_and_people_are_put_in(tmp_path: Path, capsys: Any) -> None:
    found = print_win_rates(WinRequest(str(judged(tmp_path / "judged.jsonl")), human="people"))
    rates = found["rates"]
    assert rates["win rate by the judge"]["value"] > 0.6
    level, alone, sharp = (
        rates["at equal length"],
        rates["by people alone"],
        rates["by people, judge as control variate"],
    )
    assert level["low"] <= 0.5 <= level["high"]
    assert sharp["high"] - sharp["low"] < 0.95 * (alone["high"] - alone["low"])
    printed = capsys.readouterr().out
    assert "over ten points apart" in printed and "300 human labels of 3,000" in printed


def test_without_labels_the_judge_speaks_alone(tmp_path: Path, capsys: Any) -> None:
    with pytest.raises(SystemExit) as done:
        main(["winrate", str(judged(tmp_path / "judged.jsonl", 60, 0)), "--json"])
    assert done.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["rates"]) == {"win rate by the judge", "at equal length"} and told["rows"] == 60


def test_our_model_may_stand_on_either_side(tmp_path: Path) -> None:
    """Ours wins 3 of 4 times, half of them as rejected; rows of others, or of ours alone, do not count."""
    rows = []
    for k in range(80):
        ours_first, we_win = k % 2 == 0, k % 4 != 3
        names = ("acme-7b", "base") if ours_first else ("base", "acme-7b")
        verdict = 1 if we_win == ours_first else 2
        rows.append({"prompt": f"p{k}", "response_a": f"aa{k}", "response_b": f"bb{k}", "label": verdict,
                     "model_a": names[0], "model_b": names[1]})  # fmt: skip
    rows += [rows[0] | {"prompt": f"q{k}", "model_a": "base", "model_b": "other"} for k in range(9)]
    path = tmp_path / "votes.jsonl"
    path.write_text("\n".join(json.dumps(row | {"judge_p": 1.0}) for row in rows), encoding="utf-8")
    found = print_win_rates(WinRequest(str(path), ours="acme"))
    assert found["rows"] == 80 and found["rates"]["win rate by the judge"]["value"] == pytest.approx(0.75)
    with pytest.raises(InputError, match="--ours takes"):
        print_win_rates(WinRequest(str(path), ours="nobody"))


def test_a_run_folder_is_read_where_the_judge_wrote(tmp_path: Path) -> None:
    judged(tmp_path / "judged.jsonl", 40, 0)
    stages = [
        {"read.pairs": {"path": str(tmp_path / "judged.jsonl"), "columns": {"old": "judge_p"}}},
        {"judge.pairwise": {"model": "coin"}},
    ]
    recipe = {"models": {"coin": {"use": "fake_chat", "name": "coin"}}, "stages": stages}
    view = run_text(yaml.safe_dump(recipe), tmp_path / "run")
    found = print_win_rates(WinRequest(str(tmp_path / "run")))
    p = view.frame("judge.pairwise").table(["judge_p"])["judge_p"].to_numpy()
    assert found["rates"]["win rate by the judge"]["value"] == pytest.approx(p.mean(), abs=1e-4)


def test_mistakes_are_named(tmp_path: Path) -> None:
    path = judged(tmp_path / "judged.jsonl", 30, 0)
    with pytest.raises(InputError, match="did you mean judge_p"):
        print_win_rates(WinRequest(str(path), column="judg_p"))
    with pytest.raises(InputError, match="5 rows have a verdict"):
        print_win_rates(WinRequest(str(judged(tmp_path / "few.jsonl", 5, 0))))
