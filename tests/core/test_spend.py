"""What a stage paid stands in its own line, also where several ask at the same time."""

from __future__ import annotations

import json
from pathlib import Path

from ..runs import run_text


def test_each_stage_is_charged_for_its_own_calls(tmp_path: Path) -> None:
    """Of 40 rows in batches of 7: two candidates a row by the map, then one rating each."""
    rows = [{"prompt": f"Why is {k} a number?"} for k in range(40)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    text = f"""
name: charged
models: {{writer: {{use: fake_chat}}, judge: {{use: fake_chat, name: other}}}}
stages:
  - read.rows: {{path: {tmp_path}/rows.jsonl}}
  - synth.candidates: {{samples: 2}}
  - judge.pointwise: {{of: candidates}}
"""
    first = {line.stage: line for line in run_text(text, tmp_path / "a", batch=7).funnel}
    assert [first[name].calls for name in ("read.rows", "synth.candidates", "judge.pointwise")] == [0, 80, 80]
    assert all(first[name].tokens > 0 for name in ("synth.candidates", "judge.pointwise"))
    again = {line.stage: line for line in run_text(text, tmp_path / "b").funnel}
    assert [again[name].calls_reused for name in ("synth.candidates", "judge.pointwise")] == [80, 80]
    assert not any(line.calls for line in again.values())
