"""`rather`: one verb a function. Heavy imports stand inside the verbs, so that help is instant."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="rather",
    help="This, rather than that: build, curate and export preference datasets.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

RecipeArg = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe file, or the name of a shipped one.")]
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="a.b=v", help="Set an option: stage.option=value.")]
Plugins = Annotated[list[str] | None, typer.Option("--plugin", metavar="FILE", help="A .py file that adds stages.")]
Out = Annotated[Path | None, typer.Option("--out", help="Run folder; default runs/<recipe name>.")]
Json = Annotated[bool, typer.Option("--json", help="End with one JSON line on standard output.")]


@app.command()
def run(
    recipe: RecipeArg,
    set_: Sets = None,
    out: Out = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Read only the first N rows of each source.")] = None,
    executor: Annotated[str, typer.Option(help="Where to run: local.")] = "local",
    shard: Annotated[str | None, typer.Option(metavar="i/n", help="Work on the i-th of n parts (1 ≤ i ≤ n).")] = None,
    budget_usd: Annotated[float | None, typer.Option(min=0, help="Stop cleanly once this is spent.")] = None,
    budget_calls: Annotated[int | None, typer.Option(min=0, help="Most model calls.")] = None,
    budget_tokens: Annotated[int | None, typer.Option(min=0, help="Most tokens, prompt and completion.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Rows a batch; changes speed, never a row.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; changes speed, never a row.")] = None,
    plugin: Plugins = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget finished stages; paid replies are kept.")] = False,
    show: Annotated[int, typer.Option(min=0, help="Print this many kept pairs at the end.")] = 0,
    json_: Json = False,
) -> None:
    """Run or resume a recipe; what is finished is reused."""
    from .run import RunRequest, run_recipe

    run_recipe(
        RunRequest(
            recipe, tuple(set_ or ()), tuple(plugin or ()), out, limit, shard, budget_calls, budget_tokens, budget_usd,
            batch, workers, fresh, executor, show, json_,
        )
    )  # fmt: skip


@app.command()
def check(recipe: RecipeArg, set_: Sets = None, plugin: Plugins = None) -> None:
    """Look for every fault of a recipe, without running anything."""
    from .api import check as check_recipe

    plan = check_recipe(recipe, set_ or (), plugin or ())
    skipped = [f"{node.name} ({node.skipped})" for node in plan.nodes if node.skipped]
    print(f"{recipe}: sound, {len(plan.active)} stages" + (f"; skipped here: {', '.join(skipped)}" if skipped else ""))


@app.command()
def plan(recipe: RecipeArg, set_: Sets = None, plugin: Plugins = None, out: Out = None) -> None:
    """The stages, what of them is finished, and what calls and money the rest may take."""
    from .look import print_plan

    print_plan(recipe, set_ or [], plugin or [], out)


@app.command()
def preview(
    recipe: RecipeArg,
    n: Annotated[int, typer.Option("-n", min=1, help="Rows to read.")] = 5,
    set_: Sets = None,
    plugin: Plugins = None,
) -> None:
    """A few rows through every stage, printed; nothing is kept but paid replies."""
    from .look import print_preview

    print_preview(recipe, n, set_ or [], plugin or [])


@app.command("list")
def list_(
    what: Annotated[str, typer.Argument(help="stages, recipes, models or formats")] = "stages", plugin: Plugins = None
) -> None:
    """What there is."""
    from .show import print_list

    print_list(what, plugin or [])


@app.command()
def show(name: Annotated[str, typer.Argument(help="A stage, recipe or model.")], plugin: Plugins = None) -> None:
    """What one thing does, its options, columns and paper."""
    from .show import print_one

    print_one(name, plugin or [])


@app.command()
def copy(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE")],
    file: Annotated[Path | None, typer.Argument(help="Where to; default ./RECIPE.yaml.")] = None,
) -> None:
    """Copy a shipped recipe to edit it."""
    from .show import copy_recipe

    copy_recipe(recipe, file)


@app.command()
def schema(plugin: Plugins = None) -> None:
    """JSON Schema of recipes, for editors."""
    from .schema import print_schema

    print_schema(plugin or [])


@app.command("filter")
def filter_(
    input_: Annotated[str, typer.Argument(metavar="INPUT", help="A file, folder or hub id of preference pairs.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Run folder; the dataset lies in its data/.")],
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


@app.command()
def report(run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]) -> None:
    """Write the run's report (one self-contained HTML page) again."""
    from ..core.runs import open_run
    from ..formats.report import write_report

    print(write_report(open_run(run_folder), run_folder / "report.html"))


@app.command()
def view(
    path: Annotated[str, typer.Argument(metavar="PATH", help="A run folder, a dataset folder, a file or a hub id.")],
    n: Annotated[int | None, typer.Option("-n", min=1, help="Print N pairs instead of writing a page.")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The page; default: view.html in the run.")] = None,
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


@app.command()
def export(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A run folder, a dataset folder, a file or a hub id.")],
    to: Annotated[str, typer.Option("--to", metavar="DIALECT", help="The trainer's layout; see: rather list formats.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The dataset's folder.")],
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


@app.command()
def push(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A written dataset folder, or a run folder.")],
    repo: Annotated[str, typer.Argument(metavar="REPO", help="owner/name on the Hugging Face Hub.")],
    private: Annotated[bool, typer.Option("--private/--public", help="Who may see it.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print files and card; send nothing.")] = False,
) -> None:
    """Push a dataset to the Hugging Face Hub; private unless told otherwise."""
    from .push import push_dataset

    push_dataset(data, repo, private=private, dry_run=dry_run)


@app.command()
def pull(
    repo: Annotated[str, typer.Argument(metavar="REPO", help="owner/name on the Hugging Face Hub.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Folder; default: the repository's name.")] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit; default: the latest.")] = None,
    json_: Json = False,
) -> None:
    """Bring a dataset from the Hugging Face Hub; what is there and unchanged is not fetched again."""
    from .pull import pull_dataset

    pull_dataset(repo, out, revision, json_)


@app.command()
def merge(
    parts: Annotated[list[Path], typer.Argument(metavar="SHARDS…", help="Run folders of shards, or dataset folders.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The dataset's folder.")],
    partial: Annotated[bool, typer.Option("--partial", help="Merge what is there, though shards are missing.")] = False,
    json_: Json = False,
) -> None:
    """The shards of a run, or several datasets, as one: no row twice, no prompt in both train and test."""
    from .merge import MergeRequest
    from .merge import merge as merge_parts

    merge_parts(MergeRequest(tuple(parts), out, partial, json_))


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
def doctor() -> None:
    """Versions, extras and devices; what is missing and how to get it."""
    from .doctor import print_doctor

    print_doctor()


def main(arguments: list[str] | None = None) -> None:
    """The console script: user mistakes in one message, exit codes 0, 1, 2, 3, 130."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words or bool(os.environ.get("RATHER_DEBUG"))
    words = [word for word in words if word != "--debug"]
    if words in (["--version"], ["-V"]):
        from .. import __version__

        print(f"rather {__version__}")
        return
    try:
        code: Any = app(words, standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        sys.exit(_complain(error))
    if code == 130:  # the parser turns Ctrl-C into this number too
        print("rather: interrupted; what is finished is kept, the same command goes on", file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0)


def _complain(error: Exception) -> int:
    """Show a mistake as one message; the exit code."""
    from ..core.errors import RatherError
    from ..core.secrets import redact

    if isinstance(error, RatherError):
        print(redact(f"rather: {error.show()}"), file=sys.stderr)
        return error.exit_code
    if hasattr(error, "format_message"):  # a usage error of the command line parser
        print(f"rather: {error.format_message()}; see: rather --help", file=sys.stderr)
        return 2
    if isinstance(error, OSError) and error.filename:
        print(redact(f"rather: {error.filename}: {error.strerror}"), file=sys.stderr)
        return 1
    print(redact(f"rather: unexpected {type(error).__name__}: {error}"), file=sys.stderr)
    print("rather: this is a bug of ours; --debug shows where it happened", file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
