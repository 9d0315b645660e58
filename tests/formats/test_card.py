"""The card: every figure is counted, nothing is invented, nothing typed by others is markup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from rather.core.errors import InputError
from rather.core.secrets import hide
from rather.formats.card_text import Verbatim, escape, fenced
from rather.formats.origins import origins
from rather.formats.write_parquet import WriteParquet

from ..frames import RECIPE, Count, SinkContext, TableFrame, View, marked, pairs

TABLE = pairs(
    ["one?", "two?", "two?", "three?"], ["long answer"] * 3 + ["I"], ["no"] * 3 + ["longer"],
    margin=pa.array([1.0, 2.0, 3.0, 4.0]),
)  # fmt: skip


def card(tmp_path: Path, table: pa.Table = TABLE, view: View | None = None, **options: Any) -> str:
    facts = WriteParquet(**options).sink(TableFrame(table), SinkContext.at(tmp_path, view=view or View()))
    return Path(facts["card"]).read_text(encoding="utf-8")


def front(text: str) -> dict[str, Any]:
    found = yaml.safe_load(text.split("---\n")[1])
    assert isinstance(found, dict)
    return found


def test_figures_are_those_of_the_rows(tmp_path: Path) -> None:
    text = card(tmp_path, test=0.5)
    assert "| chosen | 8.5 | 1 | 11 | 11 | 11 |" in text
    assert "| margin | 2.5 | 1 | 1 | 2 | 3 | 3 | 0 |" in text
    assert "3 different ones; 1 rows repeat a prompt" in text
    assert "longer one in 75.0 % of the pairs and the shorter one in 25.0 %" in text
    assert "Length bias: the chosen answer tends to be the longer one" in text
    assert "The test split holds whole prompts" in text


def test_the_licence_is_never_invented(tmp_path: Path) -> None:
    unknown = card(tmp_path)
    assert front(unknown)["license"] == "unknown" and "The licence is unknown" in unknown
    known = card(tmp_path, license="cc-by-4.0", language=["en"], tags=["mine"])
    assert front(known)["license"] == "cc-by-4.0" and front(known)["language"] == ["en"]
    assert "mine" in front(known)["tags"] and "licence is unknown" not in known


def test_a_source_s_own_card_declares_its_licence(tmp_path: Path) -> None:
    for name, licence in (("a", "mit"), ("b", "mit"), ("c", "apache-2.0"), ("d", None)):
        (tmp_path / name / "data").mkdir(parents=True)
        (tmp_path / name / "data" / "train.parquet").write_bytes(b"")
        said = f"license: {licence}\n" if licence else "tags: [x]\n"
        (tmp_path / name / "README.md").write_text(f"---\n{said}---\n# {name}\n")

    def recipe(*names: str) -> str:
        return yaml.safe_dump(
            {"stages": [{"read.pairs": {"path": str(tmp_path / n / "data" / "train.parquet")}} for n in names]}
        )

    assert origins(recipe("a", "b")).license == "mit"
    assert origins(recipe("a", "c")).license is None
    assert origins(recipe("a", "d")).license is None
    assert [source.where for source in origins(recipe("a")).sources] == ["train.parquet"]
    assert front(card(tmp_path / "run", view=View(recipe("a"))))["license"] == "mit"


def test_the_funnel_names_reasons_and_skips(tmp_path: Path) -> None:
    funnel = (
        Count("read.pairs", rows_out=9),
        Count("filter.margin", rows_in=9, rows_out=4, dropped={"margin too small": 3, "tie": 1}, failed=1),
        Count("train.trl", skipped="no GPU"),
    )
    text = card(tmp_path, view=View(funnel=funnel))
    assert "| filter.margin | 9 | 0 | margin too small: 3, tie: 1 | 1 | 4 |" in text
    assert "| train.trl (skipped: no GPU) |" in text
    assert "1 rows failed in the run" in text


def test_papers_and_models_come_from_the_recipe() -> None:
    recipe = yaml.safe_dump(
        {
            "models": {"text": {"use": "static", "api_key": "${KEY}"}},
            "stages": [
                {"read.pairs": {"path": "x"}},
                {"embed.text": {"model": "text"}},
                {"select.fifa": {"keep": 5}, "as": "pick"},
            ],
        }
    )
    found = origins(recipe)
    assert found.models == (("text", "static"),)
    assert [kind for kind, _ in found.papers if kind == "select.fifa"] == ["select.fifa"]
    assert "select.fifa" not in origins(recipe, skipped=["pick"]).kinds


def test_scores_are_described_by_their_own_words(tmp_path: Path) -> None:
    table = marked(
        TABLE,
        "margin",
        scorer="score.reward_head",
        doc="lead | of the head",
        unit="logit",
        better="higher: chosen better",
    )
    assert "lead \\| of the head; in logit; higher: chosen better; by score.reward\\_head" in card(tmp_path, table)


@pytest.mark.parametrize(
    "bad", ["<script>alert(1)</script>", "[x](javascript:y)", "a | b", "# no\n# heading", "`code`", "{{ 7*7 }}"]
)
def test_values_never_become_markup(tmp_path: Path, bad: str) -> None:
    view = View(funnel=(Count("filter.x", dropped={bad: 1}),))
    lines = [line for line in card(tmp_path, view=view, title=bad).splitlines() if "filter.x" in line]
    assert len(lines) == 1 and escape(bad) in lines[0]
    assert "<script" not in lines[0] and "](" not in lines[0] and "49" not in lines[0]
    assert lines[0].replace("\\|", "").count("|") == 7


def test_escape_and_fence() -> None:
    assert escape("a*b_c <i> & d\ne") == "a\\*b\\_c &lt;i&gt; &amp; d e"
    assert escape(Verbatim("**b**")) == "**b**"
    assert fenced("x ```` y") == "`````\nx ```` y\n`````"


def test_secrets_do_not_reach_it(tmp_path: Path) -> None:
    hide("opensesame-42", "JUDGE_KEY")
    text = card(tmp_path, view=View(RECIPE + "# opensesame-42 hf_abcdefghijklmnop\n"), title="opensesame-42")
    assert "opensesame-42" not in text and "hf_abcdefghijklmnop" not in text


def test_a_template_of_one_s_own_runs_in_a_sandbox(tmp_path: Path) -> None:
    mine = tmp_path / "mine.j2"
    mine.write_text("---\n{{ front }}---\n{{ title }}: {{ written.rows.train }}\n")
    assert card(tmp_path, template=str(mine)).endswith("---\nsmall: 4\n")
    mine.write_text("{{ title.__class__.__mro__ }}")
    with pytest.raises(InputError, match=r"mine\.j2"):
        card(tmp_path, template=str(mine))
