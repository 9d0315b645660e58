"""One self-contained HTML page about a run: what went in, what stayed, why the rest went, what it cost."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from . import report_text
from .report_compare import SAMPLE, WHOLE, compare, sampled
from .report_data import ReportData
from .report_diagnoses import diagnoses_of
from .report_gallery import gallery_of
from .report_pairs import kept_pairs, kept_rows, pairs_json, reason_blocks
from .report_run import about_recipe, evidence_of, facts_of, provenance, sentence, tiles
from .report_scores import distributions, length_bias
from .report_stages import rows_in, stage_lines, stream
from .report_topics import topic_map
from .thumbnails import Thumbnails

if TYPE_CHECKING:
    from ..core.view import RunView

SECTIONS: Final = (
    ("funnel", "Rows"), ("gallery", "Gallery"), ("reasons", "Reasons"), ("scores", "Scores"), ("length", "Length"),
    ("topics", "Topics"), ("pairs", "Pairs"), ("evidence", "Evidence"), ("cost", "Cost"), ("provenance", "Provenance"),
)  # fmt: skip
_SAMPLED: Final = f"Sets over {WHOLE:,} rows are drawn from up to {SAMPLE:,} of their rows."
FILTERS: Final = ("count", "figure", "percent", "seconds", "money", "excerpt")


def build_report(view: RunView) -> str:
    """The page as HTML text; it loads nothing from anywhere and runs without a network."""
    return render(gather(view))


def write_report(view: RunView, path: Path) -> Path:
    """Write the page to `path`, whole or not at all; the path."""
    return save_page(build_report(view), path)


def save_page(page: str, path: Path) -> Path:
    """Write a page to `path`, whole or not at all; the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(page.encode())
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def gather(view: RunView) -> ReportData:
    """Everything the page says, read from the run in bounded memory."""
    spans = compare(view)
    rows, named = kept_rows(spans)
    blocks, left_reasons, dropped = reason_blocks(view, Thumbnails())
    scores, left_columns = distributions(spans)
    length, evidence = length_bias(spans), evidence_of(view)
    name, about = about_recipe(view.recipe)
    return ReportData(
        name=name, sentence=sentence(view, evidence), about=about, tiles=tiles(view, scores, length),
        stages=stage_lines(view), river=stream(view), reasons=blocks, reasons_left=left_reasons,
        distributions=scores, columns_left=left_columns, sampled=_SAMPLED if sampled(rows_in(view)) else "",
        length=length, topics=topic_map(spans), gallery=gallery_of(spans, rows, named),
        kept=kept_pairs(rows, named, Thumbnails()), dropped=dropped, evidence=evidence,
        diagnoses=diagnoses_of(view), facts=facts_of(view), recipe=view.recipe, provenance=provenance(view),
    )  # fmt: skip


def render(data: ReportData) -> str:
    """The page of the data, every value escaped, styles and script inside."""
    return rendered(
        "report.html.j2",
        r=data,
        sections=[(key, title) for key, title in SECTIONS if key != "gallery" or data.gallery],
        data=pairs_json([*data.kept, *data.dropped]),
    )


def rendered(template: str, **values: Any) -> str:
    """A page of `templates/` with the values, and the styles and the script that all pages share."""
    from jinja2 import FunctionLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, loader=FunctionLoader(_template)
    )
    environment.filters |= {name: getattr(report_text, name) for name in FILTERS}
    script = _template("report.js")
    html: str = environment.get_template(template).render(
        **values,
        css=_template("report.css"),
        script=script,
        script_hash="sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    return html


def _template(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8")
