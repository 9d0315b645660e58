"""CUT on three real rows: what a judgment makes likelier, the training views, pairs; each way a row can go."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow as pa
import pytest
from rather.core.stage import Drop
from rather.models.causal_lm import Tokens
from rather.models.talks import Talk
from rather.synth.critique_views import CritiqueViews
from rather.synth.localise import Localise

from ..judges import FakeContext, pairs
from .scripted import opened, ran, row_of, signed


@final
class Told:
    """Words as tokens, each of chance one half; with a judgment in view of the chances told."""

    def __init__(self, chances: Mapping[str, float], most: int = 99) -> None:
        self.chances, self.most = chances, most

    def tokens(self, prompts: Sequence[Talk], answers: Sequence[Talk]) -> list[Tokens | None]:
        return [self._one(p[-1]["content"], a[-1]["content"]) for p, a in zip(prompts, answers, strict=True)]

    def _one(self, asked: str, said: str) -> Tokens | None:
        words = list(re.finditer(r"\S+", said))
        if len(words) > self.most:
            return None
        told = self.chances if "Judgment:" in asked else {}
        logs = np.log([told.get(word.group(), 0.5) for word in words])
        return Tokens(tuple(map(len, (w.group() for w in words))), np.array([w.span() for w in words]), logs)


def judged_rows(data: Path) -> list[dict[str, Any]]:
    """The first three answers with people's judgments: wrong, satisfactory, wrong."""
    with gzip.open(data / "feedback" / "cut_judgments.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in islice(lines, 3)]


def localised(records: Sequence[Mapping[str, Any]], lm: Told) -> list[dict[str, Any]]:
    rows = pairs(
        *((record["instruction"], record["response"], None) for record in records),
        judgment=[record["judgment"] for record in records],
    )
    found = Localise(model="lm", judgment="judgment").score(rows, FakeContext({"lm": lm}))
    return pa.table(found).to_pylist()


def span(text: str, words: str, kind: str, ratio: float) -> dict[str, Any]:
    start = text.index(words)
    severity = pytest.approx(ratio)
    return {"start": start, "end": start + len(words), "kind": kind, "severity": severity, "comment": None}


def test_cut_marks_what_the_judgment_makes_likelier(data: Path) -> None:
    """Of 31 words three rise from 1/2: to 0.8 (ratio 1.6), to 0.9 (1.8) and to 0.54 (1.08, below 1.1)."""
    records = judged_rows(data)
    found = localised(records, Told({"01100001": 0.8, '"a!oion".': 0.9, "representation": 0.54}))
    text = records[0]["response"]
    assert found == [
        {
            "spans": [span(text, "01100001", "quoted", 1.6), span(text, '"a!oion".', "likelier", 1.8)],
            "flagged_share": pytest.approx(2 / len(text.split())), "localise_outcome": "ok",
        },
        {"spans": None, "flagged_share": None, "localise_outcome": "no judgment"},
        {"spans": [], "flagged_share": 0.0, "localise_outcome": "ok"},
    ]  # fmt: skip
    cut_off = localised(records[2:], Told({}, most=9))
    assert cut_off == [{"spans": None, "flagged_share": None, "localise_outcome": "truncated"}]


def test_cut_views(data: Path) -> None:
    """Wrong: right for its judgment, wrong without. Satisfactory: right. As pairs only with an improved answer."""
    for record, spans in zip(judged_rows(data), ([{"start": 0, "end": 4}], None, []), strict=True):
        row = row_of(record["instruction"], chosen=record["response"], judgment=record["judgment"], spans=spans)
        blank = {"chosen": None, "rejected": None, "verdict": None, "critique": None, "spans": None}
        found, _ = ran(CritiqueViews(judgment="judgment"), row, [])
        stage = CritiqueViews(judgment="judgment", form="pairs", improved="better")
        better, _ = ran(stage, row | {"better": "uarit"}, [])
        if record["judgment"] is None:
            assert found == [blank | {"view": "align_p", "prompt": row["prompt"], "chosen": row["chosen"]}]
            assert better == Drop("satisfactory")
            continue
        told = {"text": record["judgment"], "critic": "", "score": None, "verdict": "wrong"}
        asked = found[0].pop("prompt")[0]["content"]
        assert asked.endswith(f"Instruction:\n{record['instruction']}\n\nJudgment:\n{record['judgment']}")
        rejected = {"prompt": row["prompt"], "rejected": row["chosen"], "critique": told, "spans": spans}
        misalign = blank | rejected | {"view": "misalign"}
        assert found == [blank | {"view": "align_n", "chosen": row["chosen"], "critique": told}, misalign]
        improved = signed("uarit", "synth.critique_views", "improved", {"column": "better"}, by=None)
        assert [opened(one) for one in better] == [misalign | {"view": "pair", "chosen": improved, "verdict": "prefer"}]
        assert ran(stage, row | {"better": None}, [])[0] == Drop("no improved answer")
