"""`train.trl`: a language model trained on the written pairs with TRL, from base to saved weights."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, final

from pydantic import Field

from ..core.declared import StageOf
from ..core.errors import InputError, RunError
from ..core.registry import register
from ..core.stage import Context, Sink
from .dataset import Dataset, written_dataset
from .trl_run import check_target, facts_of, publish, quiet, splits_of, watch

if TYPE_CHECKING:
    from ..core.frame import Frame

DIALECTS: Final = ("trl_preference", "trl_implicit")


@final
@register("train.trl")
class TrainTrl(Sink):
    """Train a language model on the written pairs with TRL's own DPOTrainer.

    The weights (safetensors) and the tokenizer are left in `path`; with `lora` the adapter only.
    An interrupted training goes on from its last checkpoint when the run is started again.
    """

    reads = ()
    paper = "Rafailov et al., 2023 (DPO); von Werra et al., 2020 (TRL); LoRA: Hu et al., 2021"
    extra = "train"
    needs = ("torch", "transformers", "trl")

    method: Literal["dpo"] = "dpo"
    """How to train."""
    base: Annotated[str, Field(min_length=1)]
    """The model to begin with: a folder or a Hub id."""
    data: Annotated[str | None, StageOf()] = None
    """The write.parquet stage whose dataset is meant; the last one if not given."""
    path: str = "trained"
    """Folder of the trained model; a relative path is taken from the run folder."""
    lora: Annotated[int, Field(ge=1)] | None = None
    """Rank of the LoRA adapter; all weights are trained if not given."""
    loss: Literal["sigmoid", "hinge", "ipo", "robust", "apo_zero", "apo_down"] = "sigmoid"
    """DPO's loss; `robust` takes label_smoothing for the share of reversed labels."""
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    """Assumed share of reversed labels, 0 to below 0.5."""
    beta: Annotated[float, Field(gt=0)] = 0.1
    """How strongly the base model holds the trained one."""
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    """Peak learning rate; 1e-6, or 1e-5 with LoRA, if not given."""
    epochs: Annotated[float, Field(gt=0)] = 1.0
    """Passes over the data; not used where `steps` is given."""
    steps: Annotated[int, Field(ge=1)] | None = None
    """Number of optimiser steps."""
    batch_size: Annotated[int, Field(ge=1)] = 8
    """Pairs a step and device."""
    accumulate: Annotated[int, Field(ge=1)] = 1
    """Steps whose gradients are added up before the weights change."""
    max_length: Annotated[int, Field(ge=8)] | None = 1024
    """Tokens of prompt and answer together that count."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto = the accelerator there is, else the CPU."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic; auto = bfloat16 (mixed) on a GPU that has it, else float32."""
    save_every: Annotated[int, Field(ge=1)] = 200
    """Steps between checkpoints."""

    def faults(self) -> Sequence[str]:
        """No model at `base`, peft missing, or a smoothing that the loss does not take."""
        found = []
        folder = Path(self.base).expanduser()
        if folder.is_dir() and not (folder / "config.json").is_file():
            found.append(f"{self.base} holds no model; a folder with config.json is needed")
        elif not folder.exists() and self.base.startswith((os.sep, ".", "~")):
            found.append(f"there is no folder {self.base}; base: is a folder or a Hub id")
        if self.lora is not None and importlib.util.find_spec("peft") is None:
            found.append("lora needs peft, not installed; pip install 'rather[train]'")
        if (self.loss == "robust") != (self.label_smoothing > 0) and self.loss != "sigmoid":
            cause = f"label_smoothing {self.label_smoothing} does not fit the loss {self.loss}"
            found.append(f"{cause}; robust needs it, sigmoid may have it, the others take none")
        return found

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: path, steps, first_loss, last_loss, rewards_accuracy, eval_* (test split), seconds."""
        data = written_dataset(ctx.view, self.data)
        if data.dialect not in DIALECTS:
            cause = f"the dataset was written as {data.dialect}"
            raise InputError(cause, place="train.trl", hint=f"{self.method} reads {' or '.join(DIALECTS)}")
        began = time.perf_counter()
        folder = Path(ctx.out) / self.path
        check_target(folder)
        kept = folder.with_name(f"{folder.name}.checkpoints") / self._key(data, ctx.seed)
        with quiet():
            found = self._train(data, kept, folder, ctx)
        shutil.rmtree(kept.parent, ignore_errors=True)
        return {"path": str(folder), **found, "seconds": round(time.perf_counter() - began, 2)}

    def _train(self, data: Dataset, kept: Path, folder: Path, ctx: Context) -> dict[str, Any]:
        from transformers import PrinterCallback
        from transformers.trainer_utils import get_last_checkpoint
        from trl import DPOTrainer  # type: ignore[attr-defined]

        self._check_device()
        tokenizer = self._tokenizer(data)
        splits = splits_of(data, kept / "cache")
        trainer = DPOTrainer(
            model=self._base(),
            args=self._arguments(kept, ctx.seed),
            train_dataset=splits["train"],
            eval_dataset=splits.get("test"),
            processing_class=tokenizer,
            peft_config=self._adapter(),
            callbacks=[watch(ctx)],
        )
        trainer.remove_callback(PrinterCallback)
        last = get_last_checkpoint(str(kept)) if kept.is_dir() else None  # type: ignore[no-untyped-call]
        trainer.train(resume_from_checkpoint=last)
        if ctx.stop_asked():
            hint = f"the same command goes on from step {trainer.state.global_step}"
            raise RunError("interrupted", place="train.trl", hint=hint)
        measured = trainer.evaluate() if "test" in splits else {}
        publish(trainer.accelerator.unwrap_model(trainer.model), tokenizer, folder)
        return facts_of(trainer.state, measured, len(splits["train"]), last)

    def _arguments(self, kept: Path, seed: int) -> Any:
        from trl import DPOConfig  # type: ignore[attr-defined]

        return DPOConfig(
            output_dir=str(kept),
            beta=self.beta,
            loss_type=[self.loss],
            label_smoothing=self.label_smoothing,
            learning_rate=self.learning_rate or (1e-6 if self.lora is None else 1e-5),
            num_train_epochs=self.epochs,
            max_steps=self.steps or -1,
            per_device_train_batch_size=self.batch_size,
            per_device_eval_batch_size=self.batch_size,
            gradient_accumulation_steps=self.accumulate,
            max_length=self.max_length,
            seed=seed % 2**32,
            data_seed=seed % 2**32,
            report_to=[],
            disable_tqdm=True,
            logging_first_step=True,
            save_steps=self.save_every,
            save_total_limit=1,
            **self._hardware(),
        )

    def _hardware(self) -> dict[str, Any]:
        """Where and in what arithmetic; on a CPU nothing is computed twice to save memory."""
        cpu, half = self._on_cpu(), self._half()
        # all weights are trained in float32 under autocast: bfloat16 rounds small steps away
        kept_in = "bfloat16" if half and self.lora else "float32"
        return {
            "use_cpu": cpu,
            "bf16": half,
            "gradient_checkpointing": not cpu,
            "model_init_kwargs": {"dtype": kept_in},
        }

    def _base(self) -> str:
        folder = Path(self.base).expanduser()
        return str(folder) if folder.is_dir() else self.base

    def _on_cpu(self) -> bool:
        import torch

        return self.device == "cpu" or not (torch.cuda.is_available() or torch.backends.mps.is_available())

    def _half(self) -> bool:
        import torch

        able = not self._on_cpu() and torch.cuda.is_available() and torch.cuda.is_bf16_supported()
        return self.dtype == "bfloat16" or (self.dtype == "auto" and able)

    def _check_device(self) -> None:
        import torch

        if self.device == "cuda" and not torch.cuda.is_available():
            raise InputError("device is cuda, but there is none", place="train.trl", hint="use device: auto")

    def _tokenizer(self, data: Dataset) -> Any:
        from transformers import AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(self._base())
        except (OSError, ValueError) as error:
            cause = f"the model {self.base} does not load: {error}".splitlines()[0]
            raise InputError(cause, place="train.trl", hint="base: a folder, or a model on the Hub") from error
        if data.form == "messages" and not tokenizer.chat_template:
            cause = f"{self.base} has no chat template, and the dataset holds messages"
            raise InputError(cause, place="train.trl", hint="use a chat model, or write with form: text")
        return tokenizer

    def _adapter(self) -> Any:
        if self.lora is None:
            return None
        from peft import LoraConfig

        return LoraConfig(task_type="CAUSAL_LM", r=self.lora, lora_alpha=2 * self.lora)

    def _key(self, data: Dataset, seed: int) -> str:
        """Names the checkpoints: another option, seed or dataset never goes on from them."""
        options = self.model_dump(mode="json", exclude={"save_every", "path", "data"})
        text = json.dumps([options, seed, data.digest], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
