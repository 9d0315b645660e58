"""The dataset's card (README.md): what it is, how it was made, its figures, columns and limits.

Everything comes from the recipe, the run and the rows written; nothing is asserted that is not
known. Values are escaped for Markdown and HTML; templates run in a sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import pyarrow as pa
import yaml

from ..core.errors import InputError
from ..core.secrets import redact
from .card_text import Verbatim, escape, fenced
from .origins import Origins, origins

if TYPE_CHECKING:
    from ..core.view import RunView

_TEMPLATE: Final = Path(__file__).parent / "templates" / "card.md.j2"
_UNKNOWN: Final = "unknown"
_SIZES: Final = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
                 (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"))  # fmt: skip
_MEANINGS: Final = {
    "prompt": "what the answers respond to",
    "chosen": "the preferred answer",
    "rejected": "the answer it is preferred to",
    "completion": "an answer",
    "label": "true if the answer was the preferred one of its pair",
    "completions": "the steps of an answer",
    "labels": "whether each step is right",
    "images": "images the prompt refers to, in order",
    "jpg_0": "the preferred image",
    "jpg_1": "the image it is preferred to",
    "label_0": "1 = jpg_0 is preferred",
    "caption": "what the images were to show",
    "image": "the image the question is about",
    "reference": "the subject's photo, undegraded",
    "target": "the preferred image",
    "negative": "the image made under degraded conditions",
    "degrade_visual": "how the reference was degraded for the negative",
    "degrade_text": "how the prompt was degraded for the negative",
    "degrade_params": "parameters of the degradation, JSON",
    "conversations": "the question to a critic and its verdict",
    "prompt_chosen": "what the preferred answer responds to",
    "prompt_rejected": "what the other answer responds to",
    "mu": "1 = chosen is better, 1/2 = a tie",
    "id": "hash of the row's content, stable across runs and machines",
    "source_id": "the source's own id",
    "source": "the source of the row",
    "margin": "by how much the chosen answer leads",
    "verdict": "prefer or tie",
    "weight": "importance of the row",
    "p_chosen": "probability that the chosen answer is the better one",
    "made_by": "stage, method, parameters, model and seed of what was synthesised",
    "candidates": "all answers known for the prompt",
}


@final
@dataclass(frozen=True)
class About:
    """What only the owner of a dataset can say of it."""

    title: str = ""
    license: str | None = None
    language: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@final
@dataclass(frozen=True)
class Written:
    """What was written: rows by split, output schema, statistics, rows left out by reason."""

    dialect: str
    doc: str
    rows: Mapping[str, int]
    schema: pa.Schema
    statistics: Mapping[str, Any]
    left_out: Mapping[str, int]


def render_card(view: RunView, written: Written, about: About, template: Path | None = None) -> str:
    """The card as Markdown with YAML front matter; `template` replaces the built-in layout."""
    made = origins(view.recipe, skipped=[count.stage for count in view.funnel if count.skipped])
    license_ = about.license or made.license
    text = _rendered(
        template or _TEMPLATE,
        front=Verbatim(_front(written, about, license_ or _UNKNOWN)),
        title=about.title or made.name or "Preference data",
        license=license_,
        recipe=Verbatim(fenced(redact(view.recipe), "yaml")),
        funnel=view.funnel,
        written=written,
        statistics=written.statistics,
        columns=_columns(written.schema),
        made=made,
        limits=_limits(view, written, made),
    )  # fmt: skip
    return redact(text)


def _rendered(template: Path, **values: Any) -> str:
    from jinja2 import TemplateError

    try:
        return str(_environment().from_string(template.read_text(encoding="utf-8")).render(values))
    except TemplateError as error:
        raise InputError(f"the template does not render: {error}", place=str(template)) from error


def _environment() -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined, finalize=escape
    )
    environment.filters |= {"number": _number, "share": _share}
    return environment


def _front(written: Written, about: About, license_: str) -> str:
    front: dict[str, Any] = {"license": license_}
    if about.language:
        front["language"] = list(about.language)
    front["tags"] = list(dict.fromkeys(["preference-data", "rather", *about.tags]))
    total = sum(written.rows.values())
    front["size_categories"] = [next((name for limit, name in _SIZES if total < limit), "100M<n<1B")]
    # no `configs` on purpose: with them `load_dataset` keys its cache by the folder's name and the
    # patterns alone, and serves the rows of an earlier run; data/SPLIT-* is found without them
    return yaml.safe_dump(front, sort_keys=False, allow_unicode=True)


def _columns(schema: pa.Schema) -> list[dict[str, str]]:
    return [{"name": field.name, "type": _kind(field.type), "meaning": _meaning(field)} for field in schema]


def _kind(kind: pa.DataType) -> str:
    text = str(kind)
    if kind == pa.struct([("bytes", pa.binary()), ("path", pa.string())]):
        return "image"
    if pa.types.is_list(kind):
        return f"list of {_kind(kind.value_type)}"
    if pa.types.is_struct(kind):
        return "{" + ", ".join(field.name for field in kind) + "}"
    return {"double": "float64", "float": "float32", "binary": "bytes"}.get(text, text)


def _meaning(field: pa.Field) -> str:
    said = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    words = [said.get("doc") or _MEANINGS.get(field.name, "")]
    if said.get("unit"):
        words.append(f"in {said['unit']}")
    if said.get("low") and said.get("high"):
        words.append(f"from {said['low']} to {said['high']}")
    if said.get("better", "neither") != "neither":
        words.append(said["better"])
    if said.get("scorer"):
        words.append(f"by {said['scorer']}")
    return "; ".join(word for word in words if word)


def _limits(view: RunView, written: Written, made: Origins) -> Sequence[str]:
    limits = []
    longer = written.statistics.get("chosen_longer")
    if longer is not None and abs(longer - written.statistics["chosen_shorter"]) > 0.1:
        side = "longer" if longer > written.statistics["chosen_shorter"] else "shorter"
        limits.append(f"Length bias: the chosen answer tends to be the {side} one; a trained model may learn length.")
    if written.statistics.get("rows_of_known_prompts"):
        limits.append("Several rows share a prompt; whoever splits the rows anew should split them by prompt.")
    failed = sum(count.failed for count in view.funnel)
    if failed:
        limits.append(f"{failed} rows failed in the run and are missing; they may differ from the others.")
    limits += [f"{count} rows were not written: {reason}." for reason, count in written.left_out.items()]
    if made.models:
        limits.append("Models named above made, measured or judged rows: their biases, and their terms of use, apply.")
    if any(kind.startswith("synth.") for kind in made.kinds):
        limits.append("Answers were synthesised; they are not what people wrote or chose.")
    return limits


def _number(value: float | int | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"
