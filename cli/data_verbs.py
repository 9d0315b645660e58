"""Verbs of data: clean, look at, carry, train on, measure. Heavy imports stand inside the verbs: help is instant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Json, Out, Sets, given_path


def filter_(
    input_: Annotated[str, typer.Argument(metavar="INPUT", help="A file, folder or hub id of preference pairs.")],
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", parser=given_path, metavar="<path>", help="Run folder; the dataset lies in its data/."
        ),
    ],
    format_: Annotated[str | None, typer.Option("--format", help="Layout of the input; default: recognised.")] = None,
    margin: Annotated[float | None, typer.Option(help="Least margin kept, in logits of the reward head.")] = None,
    noise: Annotated[str | None, typer.Option(help="Drop suspected flips: auto, or the share (0–0.5).")] = None,
    dedup: Annotated[bool, typer.Option("--dedup", help="Drop exact duplicates and contradictions.")] = False,
    diverse: Annotated[int | None, typer.Option(min=1, help="Keep N by margin and diversity (FiFA).")] = None,
    keep: Annotated[int | None, typer.Option(min=1, help="Keep the N of largest margin.")] = None,
    compare: Annotated[
        str | None, typer.Option(help="Evidence side by side for some of noise,margin,fifa,top.")
    ] = None,
    set_: Sets = None,
    json_: Json = False,
) -> None:
    """Noisy pairs in, a smaller and cleaner dataset out, with the evidence; no recipe needed."""
    from .filter import FilterRequest, run_filter

    run_filter(
        FilterRequest(input_, out, format_, margin, noise, dedup, diverse, keep, compare, tuple(set_ or ()), json_)
    )


def report(run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]) -> None:
    """Write the run's report (one self-contained HTML page) again."""
    from ..core.runs import open_run
    from ..formats.report import write_report

    print(write_report(open_run(run_folder), run_folder / "report.html"))


def view(
    path: Annotated[str, typer.Argument(metavar="PATH", help="A run folder, a dataset folder, a file or a hub id.")],
    n: Annotated[int | None, typer.Option("-n", min=1, help="Print N pairs instead of writing a page.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", parser=given_path, metavar="<path>", help="The page; default: view.html in the run."
        ),
    ] = None,
    rows: Annotated[int, typer.Option(min=1, max=5000, help="Most rows on the page.")] = 200,
    find: Annotated[str, typer.Option(help="Only rows with this in a prompt or answer.")] = "",
    where: Annotated[list[str] | None, typer.Option(metavar="'COLUMN<VALUE'", help="Only rows where it holds.")] = None,
    stage: Annotated[str | None, typer.Option(help="Of a run: the rows after this stage; default: its last.")] = None,
    split: Annotated[str, typer.Option(help="The split of a dataset.")] = "train",
    format_: Annotated[str | None, typer.Option("--format", help="Layout of a dataset; default: recognised.")] = None,
    map_: Annotated[list[str] | None, typer.Option("--map", metavar="OURS=THEIRS", help="Name a column.")] = None,
) -> None:
    """Pairs side by side: a page to browse and search, or a few on the terminal."""
    from ..formats.pairs_page import Wish
    from .view import ViewRequest
    from .view import view as view_pairs

    wish = Wish(find, tuple(where or ()))
    view_pairs(ViewRequest(path, out, n, rows, stage, split, format_, tuple(map_ or ()), wish))


def export(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A run folder, a dataset folder, a file or a hub id.")],
    to: Annotated[str, typer.Option("--to", metavar="DIALECT", help="The trainer's layout; see: rather list formats.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", parser=given_path, metavar="<path>", help="The dataset's folder.")
    ],
    form: Annotated[str, typer.Option(help="Conversations as: auto, text or messages.")] = "auto",
    test: Annotated[float, typer.Option(help="Share of the prompts that goes to a test split.")] = 0.0,
    split: Annotated[str | None, typer.Option(help="Only this split of the data; default: all, kept apart.")] = None,
    stage: Annotated[str | None, typer.Option(help="Of a run: the rows after this stage; default: its last.")] = None,
    format_: Annotated[str | None, typer.Option("--format", help="Layout of the data; default: recognised.")] = None,
    map_: Annotated[list[str] | None, typer.Option("--map", metavar="OURS=THEIRS", help="Name a column.")] = None,
    keep: Annotated[list[str] | None, typer.Option("--keep", metavar="COLUMN", help="One more column to keep.")] = None,
    json_: Json = False,
) -> None:
    """A run or a dataset in another trainer's columns; rows that do not fit are counted."""
    from .export import ExportRequest
    from .export import export as write_export

    write_export(
        ExportRequest(data, to, out, form, test, split, stage, format_, tuple(map_ or ()), tuple(keep or ()), json_)
    )


def push(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A written dataset folder, or a run folder.")],
    repo: Annotated[str, typer.Argument(metavar="REPO", help="owner/name on the Hugging Face Hub.")],
    private: Annotated[bool, typer.Option("--private/--public", help="Who may see it.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print files and card; send nothing.")] = False,
) -> None:
    """Push a dataset to the Hugging Face Hub; private unless told otherwise."""
    from .push import push_dataset

    push_dataset(data, repo, private=private, dry_run=dry_run)


def pull(
    repo: Annotated[str, typer.Argument(metavar="REPO", help="owner/name on the Hugging Face Hub.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", parser=given_path, metavar="<path>", help="Folder; default: the repository's name."
        ),
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit; default: the latest.")] = None,
    json_: Json = False,
) -> None:
    """Bring a dataset from the Hugging Face Hub; what is there and unchanged is not fetched again."""
    from .pull import pull_dataset

    pull_dataset(repo, out, revision, json_)


def merge(
    parts: Annotated[list[Path], typer.Argument(metavar="SHARDS…", help="Run folders of shards, or dataset folders.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", parser=given_path, metavar="<path>", help="The dataset's folder.")
    ],
    partial: Annotated[bool, typer.Option("--partial", help="Merge what is there, though shards are missing.")] = False,
    json_: Json = False,
) -> None:
    """The shards of a run, or several datasets, as one: no row twice, no prompt in both train and test."""
    from .merge import MergeRequest
    from .merge import merge as merge_parts

    merge_parts(MergeRequest(tuple(parts), out, partial, json_))


def train(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A dataset of pairs.")],
    with_: Annotated[str, typer.Option("--with", help="dpo or reward_head")],
    base: Annotated[str | None, typer.Option(help="Base model: a folder or hub id.")] = None,
    out: Out = None,
    set_: Sets = None,
    json_: Json = False,
) -> None:
    """The last stage alone: train on a dataset."""
    from .train import train_on

    train_on(data, with_, base, out, tuple(set_ or ()), json_)


def bench(
    name: Annotated[str, typer.Argument(help="llmbar, hhh, mt-bench, pandalm, matched-signal, ruff-like or pairs.")],
    judge: Annotated[str, typer.Option(help="use=openai,name=…,url=…, or a name in --models.")],
    models: Annotated[Path | None, typer.Option(help="A YAML file with models:, as in a recipe.")] = None,
    data: Annotated[str | None, typer.Option(metavar="PATH_OR_HUB", help="Gold pairs; chosen is right.")] = None,
    by: Annotated[str | None, typer.Option(help="Column whose values are scored apart.")] = None,
    strategy: Annotated[
        str, typer.Option(help="vanilla, rules, cot, swap_cot, metrics, reference or metrics_reference.")
    ] = "rules",
    matched: Annotated[
        float | None, typer.Option(min=1, help="Only pairs whose lengths differ by this factor.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Judge only the first N rows.")] = None,
    out: Out = None,
    set_: Sets = None,
    json_: Json = False,
) -> None:
    """A judge against a gold set: accuracy with intervals, biases, floors, published figures."""
    from .bench import BenchRequest, run_bench

    run_bench(BenchRequest(name, judge, models, data, by, strategy, limit, matched, out, tuple(set_ or ()), json_))


def winrate(
    judged: Annotated[str, typer.Argument(metavar="JUDGED", help="A run folder or file of judged pairs.")],
    column: Annotated[str, typer.Option(help="The judge's chance that chosen is better.")] = "judge_p",
    ours: Annotated[str | None, typer.Option(help="Part of our model's name; default: ours is chosen.")] = None,
    human: Annotated[str | None, typer.Option(help="Column with human verdicts on some rows.")] = None,
    difficulty: Annotated[str | None, typer.Option(help="Column with the difficulty of each prompt.")] = None,
    json_: Json = False,
) -> None:
    """Win rates of judged pairs: raw, at equal length, and by few human labels with the judge's help."""
    from .winrate import WinRequest, print_win_rates

    print_win_rates(WinRequest(judged, column, ours, human, difficulty, json_))
