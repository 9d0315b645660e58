"""Training a tiny random language model with TRL, in full and by LoRA, on a written dataset."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import pytest
from rather.core.errors import InputError, RecipeError, RunError

from ..tiny_llama import TEMPLATE, tiny_llama
from .pair_rows import planted, run_recipe

torch = pytest.importorskip("torch")
pytest.importorskip("trl")
pytestmark = pytest.mark.full

RECIPE = """
name: t
seed: 3
stages:
  - read.planted: {{path: {path}}}
  - write.parquet: {{path: data, test: 0.2, form: {form}}}
  - train.trl: {{base: {base}, device: cpu, batch_size: 4, max_length: 64, {options}}}
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model's folder."""
    return tiny_llama(tmp_path_factory.mktemp("base"))


def trained(folder: Path, base: Path, options: str, form: str = "text") -> dict[str, Any]:
    path = planted(folder / "pairs.parquet", 60, 0.0)
    text = RECIPE.format(path=path, base=base, options=options, form=form)
    return run_recipe(text, folder / "run").facts["train.trl"]


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize("form", ["text", "messages"])
def test_dpo_of_all_weights(tmp_path: Path, base: Path, form: str) -> None:
    """The trained model is the reference at step 1, so the first loss is -log σ(0) = ln 2."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        facts = trained(tmp_path, base, "steps: 40, learning_rate: 0.005", form)
    folder = Path(facts["path"])
    assert folder == tmp_path / "run" / "trained"
    assert facts["steps"] == 40
    assert facts["first_loss"] == pytest.approx(math.log(2), abs=1e-3)
    assert facts["last_loss"] < math.log(2) - 0.05
    assert 0 <= facts["rewards_accuracy"] <= 1
    assert facts["eval_loss"] > 0
    before, after = weights(base), weights(folder)
    assert any(not torch.equal(before[name], after[name]) for name in before)
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.num_parameters() == sum(p.numel() for p in model.parameters())
    assert AutoTokenizer.from_pretrained(folder).chat_template == TEMPLATE
    assert not list(folder.parent.glob("trained.checkpoints*"))
    assert not list(folder.rglob("*.bin"))


def test_dpo_by_lora_leaves_the_base_as_it_is(tmp_path: Path, base: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    before = weights(base)
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        facts = trained(tmp_path, base, "steps: 3, learning_rate: 0.01, lora: 4")
    assert facts["first_loss"] == pytest.approx(math.log(2), abs=1e-3)
    folder = Path(facts["path"])
    assert (folder / "adapter_model.safetensors").is_file()
    assert not (folder / "model.safetensors").exists()
    assert all(torch.equal(before[name], found) for name, found in weights(base).items())
    plain = AutoModelForCausalLM.from_pretrained(base)
    ids = torch.arange(3, 40)[None]
    with torch.no_grad():
        said = plain(ids).logits
        taught = PeftModel.from_pretrained(plain, str(folder))(ids).logits
    assert (said - taught).abs().max() > 1e-4


def test_an_interrupted_training_goes_on(tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked to stop at step 2 of 6; the next run goes on there and ends where one run would."""
    from rather.core.session import StageContext

    asked = {"n": 0}

    def stop_after_two(self: StageContext) -> bool:
        asked["n"] += self.name == "train.trl"
        return asked["n"] >= 2

    with monkeypatch.context() as patched:
        patched.setattr(StageContext, "stop_asked", stop_after_two)
        with pytest.raises(RunError, match="goes on from step 2"):
            trained(tmp_path, base, "steps: 6, learning_rate: 0.01")
    assert list((tmp_path / "run" / "trained.checkpoints").glob("*/checkpoint-2"))
    facts = trained(tmp_path, base, "steps: 6, learning_rate: 0.01")
    assert facts["resumed"] is True
    assert facts["steps"] == 6
    whole = tmp_path / "whole"
    whole.mkdir()
    straight = trained(whole, base, "steps: 6, learning_rate: 0.01")
    assert straight["resumed"] is False
    ours, theirs = weights(Path(facts["path"])), weights(Path(straight["path"]))
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-6) for name in ours)


def test_messages_need_a_chat_template(tmp_path: Path, base: Path) -> None:
    import shutil

    bare = tmp_path / "bare"
    shutil.copytree(base, bare)
    (bare / "chat_template.jinja").unlink()
    with pytest.raises(InputError, match="no chat template"):
        trained(tmp_path, bare, "steps: 1", "messages")


def test_mistakes_are_found_before_anything_runs(tmp_path: Path, base: Path) -> None:
    with pytest.raises(RecipeError, match="there is no folder"):
        trained(tmp_path, Path("/nowhere/model"), "steps: 1")
    with pytest.raises(RecipeError, match="robust needs it"):
        trained(tmp_path, base, "loss: robust")
    assert not (tmp_path / "run").exists()


def test_another_folder_is_never_replaced(tmp_path: Path, base: Path) -> None:
    (tmp_path / "run" / "trained").mkdir(parents=True)
    (tmp_path / "run" / "trained" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="something else than a model"):
        trained(tmp_path, base, "steps: 1")
    assert (tmp_path / "run" / "trained" / "thesis.txt").read_text() == "mine"
