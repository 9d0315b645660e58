"""What surrounds a training with TRL: its data, its end, its weights, and its silence."""

from __future__ import annotations

import contextlib
import logging
import math
import shutil
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, final

from ..core.errors import InputError
from ..core.stage import Context
from .dataset import Dataset

LOG: Final = logging.getLogger("rather.train.trl")


def splits_of(data: Dataset, cache: Path) -> dict[str, Any]:
    """The written rows by split; InputError when there are none to train on."""
    from datasets import load_dataset

    files = {split: data.files(split) for split in ("train", "test")}
    loaded = load_dataset("parquet", data_files={s: f for s, f in files.items() if f}, cache_dir=str(cache))
    splits = {name: part for name, part in loaded.items() if len(part)}
    if "train" not in splits:
        raise InputError("the dataset has no rows to train on", place=str(data.path))
    return splits


def watch(ctx: Context) -> Any:
    """A callback that saves and stops when the run is interrupted, and hands on what is logged."""
    from transformers import TrainerCallback

    @final
    class Watch(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
            if state.global_step >= state.max_steps:
                control.should_log = True
            if ctx.stop_asked():
                control.should_save = control.should_training_stop = True
            return control

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            LOG.info("step %d of %d: %s", state.global_step, state.max_steps, logs)

    return Watch()


def facts_of(state: Any, measured: Mapping[str, float], rows: int, resumed: str | None) -> dict[str, Any]:
    """First and last loss, accuracy of the implied rewards, figures of the test split; what is finite."""
    logged = [entry for entry in state.log_history if "loss" in entry]
    facts = {"rows": rows, "steps": state.global_step, "resumed": resumed is not None}
    if logged:
        facts |= {"first_loss": logged[0]["loss"], "last_loss": logged[-1]["loss"]}
        facts |= {"rewards_accuracy": logged[-1].get("rewards/accuracies")}
    facts |= {"eval_loss": measured.get("eval_loss"), "eval_accuracy": measured.get("eval_rewards/accuracies")}
    return {name: value for name, value in facts.items() if value is not None and math.isfinite(value)}


def check_target(folder: Path) -> None:
    """A folder is only ever replaced by a model if a model is what it holds."""
    if folder.is_dir() and any(folder.iterdir()) and not _is_model(folder):
        cause = f"{folder} holds something else than a model"
        raise InputError(cause, place="train.trl", hint="give path: another folder")


def _is_model(folder: Path) -> bool:
    return (folder / "config.json").is_file() or (folder / "adapter_config.json").is_file()


def publish(model: Any, tokenizer: Any, folder: Path) -> None:
    """Save weights and tokenizer beside, then put them in place in one step."""
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    if folder.is_dir():
        shutil.rmtree(folder)
    partial.replace(folder)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No bars, and none of TRL's notices of what it will rename: the state before is put back."""
    import datasets
    from transformers.utils import logging as told

    bars = (datasets.are_progress_bars_disabled(), told.is_progress_bar_enabled())
    datasets.disable_progress_bars()
    told.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning, module=r"(trl|transformers)\b")
            yield
    finally:
        if not bars[0]:
            datasets.enable_progress_bars()
        if bars[1]:
            told.enable_progress_bar()  # type: ignore[no-untyped-call]
