"""`rather bench`: scores against direct counting, floors on real rows, judges that should not be trusted."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from rather.cli.bench import BenchRequest, bench_recipe, run_bench
from rather.cli.bench_data import BENCHES, STRATEGIES
from rather.cli.contrasts import DISTRACTORS, TASKS, contrasts
from rather.cli.judge_model import judge_options
from rather.cli.published import LLMBAR, LONGEST, SUBSETS
from rather.core.errors import InputError, RecipeError
from rather.core.plan import make_plan

FAKE = "use=fake_chat,name=coin"


def script(folder: Path, rows: list[dict[str, str]]) -> str:
    """Replies of a judge that is right about even rows and picks the first place on odd ones."""
    lines = []
    for k, row in enumerate(rows):
        for first, second, right in ((row["chosen"], row["rejected"], "A"), (row["rejected"], row["chosen"], "B")):
            said = right if k % 2 == 0 else "A"
            lines.append({"contains": f"# Answer A\n{first}\n\n# Answer B\n{second}", "reply": said})
    path = folder / "script.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return f"{FAKE},script={path}"


@pytest.fixture
def gold(tmp_path: Path) -> tuple[Path, list[dict[str, str]]]:
    """Forty pairs in two genres; of every four the right answer is the longer in one."""
    rows = [
        {"prompt": f"question {k}", "chosen": f"right {k}" + " and long" * (k % 4 == 0), "rejected": f"very wrong {k}",
         "genre": "verse" if k < 24 else "prose"} for k in range(40)
    ]  # fmt: skip
    path = tmp_path / "gold.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path, rows


def test_scores_by_hand(tmp_path: Path, gold: tuple[Path, list[dict[str, str]]], capsys: Any) -> None:
    """Even rows are right twice, odd ones once: accuracy .75, both ½, orders agree in half, floor ¼."""
    path, rows = gold
    found = run_bench(BenchRequest("pairs", script(tmp_path, rows), data=str(path), by="genre", out=tmp_path / "run"))
    for group in (found["all"], *found["groups"]):
        assert group["accuracy"]["value"] == 0.75 and group["both"]["value"] == 0.5
        assert group["agree"]["value"] == 0.5 and group["longest"]["value"] == 0.25 and group["missing"] == 0
        assert group["accuracy"]["low"] < 0.75 < group["accuracy"]["high"]
    assert [group["rows"] for group in found["groups"]] == [16, 24] and found["sd_of_groups"] == 0
    printed = capsys.readouterr().out
    assert "verse" in printed and "75.0" in printed and not found["refused"]
    assert "diagnose.judge" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_a_judge_of_one_place_is_loudly_distrusted(tmp_path: Path, gold: tuple[Path, Any], capsys: Any) -> None:
    path, rows = gold
    always = f"{FAKE},mode=choice,choices=[A]"
    found = run_bench(BenchRequest("pairs", always, data=str(path), out=tmp_path / "run"))
    assert found["refused"] and "shown first in 100%" in found["why"]
    assert found["all"]["accuracy"]["value"] == 0.5 and found["all"]["agree"]["value"] == 0
    told = capsys.readouterr()
    assert "DO NOT TRUST THIS JUDGE" in told.out and "REFUSED" in told.err


def test_a_verdict_that_is_missing_is_worth_one_half(tmp_path: Path, gold: tuple[Path, Any], capsys: Any) -> None:
    path, _ = gold
    request = BenchRequest("pairs", f"{FAKE},unparsable=1.0", data=str(path), out=tmp_path / "run", json=True)
    found = run_bench(request)
    whole = found["all"]
    assert (whole["missing"], whole["accuracy"]["value"], whole["both"]["value"]) == (40, 0.5, 0)
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["bench"] == "pairs"


def test_only_pairs_of_like_length_are_judged(tmp_path: Path, gold: tuple[Path, Any]) -> None:
    path, _ = gold
    found = run_bench(BenchRequest("matched-signal", FAKE, data=str(path), matched=1.4, out=tmp_path / "run"))
    assert found["all"]["rows"] == 10 and {group["group"] for group in found["groups"]} == {"verse", "prose"}


def test_three_ways_against_people(tmp_path: Path) -> None:
    """The judge says: first, tie, second; people: first, tie, first with one vote for the second."""
    heads = ("instruction", "input", "response_1", "response_2", "votes", "majority")
    told = [("say a", "", "aa", "bb", [1, 1, 1], 1), ("say b", "", "cc", "dd", [0, 0, 1], 0)]
    told += [("say c", "", "ee", "ff", [2, 2, 1], 2)]
    rows: list[dict[str, Any]] = [dict(zip(heads, row, strict=True)) for row in told * 4]
    for k, row in enumerate(rows):
        row["response_1"], row["response_2"] = f"{row['response_1']}{k}", f"{row['response_2']}{k}"
    path = tmp_path / "votes.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    says = [
        ("# Answer A\naa", "A"),
        ("# Answer A\nbb", "B"),
        ("say b", "tie"),
        ("# Answer A\nee", "A"),
        ("# Answer A\nff", "B"),
    ]
    replies = tmp_path / "script.jsonl"
    replies.write_text("\n".join(json.dumps({"contains": c, "reply": r}) for c, r in says), encoding="utf-8")
    found = run_bench(BenchRequest("pandalm", f"{FAKE},script={replies}", data=str(path), out=tmp_path / "run"))
    ways = found["three_way"]
    assert ways["majority"]["value"] == pytest.approx(2 / 3, abs=1e-4)
    assert ways["single_vote"]["value"] == pytest.approx((1 + 2 / 3 + 1 / 3) / 3, abs=1e-4)
    assert ways["people_among_themselves"]["value"] == pytest.approx((1 + 1 / 3 + 1 / 3) / 3, abs=1e-4)
    # balanced: ours 8 win, 4 tie … of 24 both ways; agreement 16 of 24, expected 1/3 by symmetry
    assert ways["kappa"] == pytest.approx((2 / 3 - 1 / 3) / (1 - 1 / 3), abs=1e-4)


def test_floors_of_the_real_subsets(tmp_path: Path) -> None:
    """Preferring the longer answer, counted here row by row, equals what the bench prints beside a judge."""
    root = os.environ.get("RATHER_TEST_DATA")
    if not root:
        pytest.skip("RATHER_TEST_DATA is not set")
    lines = (Path(root) / BENCHES["llmbar"].file).read_text(encoding="utf-8").splitlines()
    floors: dict[str, list[float]] = {}
    for row in map(json.loads, lines):
        gap = len(row["chosen"]) - len(row["rejected"])
        floors.setdefault(row["subset"], []).append(0.5 if gap == 0 else float(gap > 0))
    found = run_bench(BenchRequest("llmbar", FAKE, out=tmp_path / "run"))
    assert [group["group"] for group in found["groups"]] == list(SUBSETS)
    for group in found["groups"]:
        told = floors[group["group"]]
        assert group["rows"] == len(told) and group["longest"]["value"] == pytest.approx(
            sum(told) / len(told), abs=1e-4
        )
        assert abs(group["longest"]["value"] - LONGEST[SUBSETS.index(group["group"])] / 100) < 0.11, (
            "a part of the 419 rows"
        )


def test_contrasts_are_exact_and_reproducible() -> None:
    rows = list(contrasts(720, 3))
    assert rows == list(contrasts(720, 3)) and rows != list(contrasts(720, 4))
    kinds = {(row["task"], row["distractors"]) for row in rows}
    assert kinds == {(task, n) for task in TASKS for n in DISTRACTORS}
    for row in rows:
        prompt, chosen, rejected = (str(row[name]) for name in ("prompt", "chosen", "rejected"))
        told, question = prompt.split("\n\n")
        assert told.count("brought") == row["distractors"] + 1 and chosen != rejected
        first = told.split(". ")[0]
        person, colour, thing = first.split()[1], first.split()[4], first.split()[5].rstrip(",")
        assert person in question
        answer = {"colour": f"{colour}.", "thing": f"{thing}.", "pronoun": first.split("because ")[1].split()[0]}[
            str(row["task"])
        ]
        assert answer.lower() in chosen.lower() and (answer.lower() not in rejected.lower() or row["task"] == "pronoun")


def test_a_made_bench_needs_no_data(tmp_path: Path) -> None:
    found = run_bench(BenchRequest("ruff-like", FAKE, limit=36, out=tmp_path / "run"))
    assert [group["group"] for group in found["groups"]] == [str(n) for n in DISTRACTORS] and found["all"]["rows"] == 36


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_is_a_sound_recipe(strategy: str, tmp_path: Path, gold: tuple[Path, Any]) -> None:
    request = BenchRequest("pairs", FAKE, data=str(gold[0]), strategy=strategy)
    plan = make_plan(bench_recipe(request, BENCHES["pairs"], tmp_path))
    helps = {"metrics": 1, "reference": 1, "metrics_reference": 2}.get(strategy, 0)
    assert sum(node.name in ("judge.metrics", "judge.reference") for node in plan.nodes) == helps
    assert strategy in LLMBAR and all(len(cells) == len(SUBSETS) for cells in LLMBAR[strategy].values())


def test_judges_are_told_in_three_ways(tmp_path: Path) -> None:
    told = judge_options("use=openai,name=m,url=http://localhost:1/v1,key=${KEY},concurrency=8", None)
    assert told == {"use": "openai", "name": "m", "url": "http://localhost:1/v1", "key": "${KEY}", "concurrency": 8}
    file = tmp_path / "models.yaml"
    file.write_text(yaml.safe_dump({"models": {"mine": {"use": "fake_chat", "name": "x"}}}), encoding="utf-8")
    assert judge_options("mine", file) == {"use": "fake_chat", "name": "x"}
    assert judge_options("fake_chat", None) == {"use": "fake_chat"}


def test_mistakes_are_named(tmp_path: Path, gold: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RATHER_TEST_DATA", raising=False)
    file = tmp_path / "models.yaml"
    file.write_text("models: {mine: {use: fake_chat}}", encoding="utf-8")
    (tmp_path / "bad.yaml").write_text("- 1", encoding="utf-8")
    for request, words in (
        (BenchRequest("llmbr", FAKE), "did you mean llmbar"),
        (BenchRequest("llmbar", FAKE, strategy="vanila"), "did you mean vanilla"),
        (BenchRequest("llmbar", FAKE), "not shipped"),
        (BenchRequest("pairs", "use=openia,name=x", data=str(gold[0])), "did you mean openai"),
        (BenchRequest("pairs", "gpt", data=str(gold[0])), "tells no model"),
        (BenchRequest("pairs", "mien", models=file, data=str(gold[0])), "did you mean mine"),
        (BenchRequest("pairs", "x", models=tmp_path / "bad.yaml", data=str(gold[0])), "no models here"),
        (BenchRequest("pairs", "use=fake_chat,oops", data=str(gold[0])), "not key=value"),
        (BenchRequest("pairs", FAKE, data=str(gold[0]), by="gnre"), "did you mean genre"),
    ):
        with pytest.raises(InputError, match=words):
            run_bench(BenchRequest(**{**request.__dict__, "out": tmp_path / "run"}))
    with pytest.raises(RecipeError, match="concurency"):
        run_bench(BenchRequest("pairs", f"{FAKE},concurency=2", data=str(gold[0]), out=tmp_path / "run"))
