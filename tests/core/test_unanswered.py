"""Rows whose judge could not be reached: told, kept without a number, and asked for again by the next run."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
from rather.core.committer import without_answer
from rather.core.view import RunView

from ..endpoints import Answer, Sent, completion, serving
from ..runs import run_text

ROWS = 24


def judged(folder: Path, url: str) -> RunView:
    """The first half of the rows says `bad`; a verdict for the answer A is a preference for what is shown first."""
    rows = [{"prompt": f"q{k} {'bad' if k < 12 else ''}", "chosen": f"good {k}", "rejected": "x"} for k in range(ROWS)]
    if not (folder / "rows.jsonl").exists():
        (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return run_text(
        f"""
name: judged
models:
  judge: {{use: openai, name: judge, url: "{url}/v1", tries: 1}}
stages:
  - read.pairs: {{path: {folder}/rows.jsonl}}
  - judge.pairwise: {{orders: given}}
  - filter.margin: {{column: judge_p, least: 0.5}}
""",
        folder / "run",
    )


def test_the_next_run_asks_again_for_what_had_no_answer(tmp_path: Path) -> None:
    down = True

    def answer(sent: Sent) -> Answer:
        if down and "bad" in str(sent.body):
            return Answer({"error": {"message": "broken"}}, status=500)
        return Answer(completion("A"))

    with serving(answer) as server:
        first = judged(tmp_path, server.url)
        stages = {count.stage: count for count in first.funnel}
        assert stages["judge.pairwise"].unanswered == 12 and stages["judge.pairwise"].failed == 0
        assert stages["filter.margin"].rows_out == 12
        down, asked = False, len(server.sent)
        second = judged(tmp_path, server.url)
        stages = {count.stage: count for count in second.funnel}
        assert len(server.sent) - asked == 12, "answers that came are not asked for again"
        assert stages["read.pairs"].reused and not stages["judge.pairwise"].reused
        assert stages["judge.pairwise"].unanswered == 0 and stages["filter.margin"].rows_out == ROWS
        third = judged(tmp_path, server.url)
        assert all(count.reused for count in third.funnel)


def test_outcomes_of_every_form_are_looked_at() -> None:
    """A row counts once, however many of its outcomes are `failed`; refusals and nulls do not."""
    table = pa.table(
        {
            "a_outcome": ["ok", "failed", None, "refused", "ok"],
            "b_outcomes": [["ok"], ["failed", "failed"], None, [], ["ok", "failed"]],
            "c_outcomes": [None, [["ok"]], [["ok", "ok"], ["failed"]], [], [[]]],
            "note": ["failed"] * 5,
        }
    )
    assert without_answer(table).tolist() == [1, 2, 4]
