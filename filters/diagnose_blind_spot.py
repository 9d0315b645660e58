"""`diagnose.blind_spot`: how much rarer a model corrects its own errors than the same errors of others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ..core.errors import InputError
from ..core.estimates import NOTHING, Estimate, around, share_of
from ..core.registry import register
from ..core.row import answer_text, flat
from ..core.stage import Context, Sink
from .measures import leaning, measure
from .reasons import floats

if TYPE_CHECKING:
    from ..core.frame import Frame

MARKERS: Final = ("Wait", "But", "However", "Hold on", "Actually")


@final
@register("diagnose.blind_spot")
class BlindSpot(Sink):
    """The blind spot: (accuracy on others' errors - accuracy on its own) / accuracy on others'.

    1 = never corrects its own, 0 = no difference. Both settings of a row show the same flawed text, so the
    standard error (delta method) counts their covariance. With answers, also the share of them in which
    some sentence begins with a marker of correction.
    """

    reads = ("{own}", "{theirs}", "{text}?")
    paper = "Self-Correction Bench, arXiv 2507.02778"

    own: str = "corrected_own"
    """Column: whether it was put right as the model's own."""
    theirs: str = "corrected_theirs"
    """Column: whether it was put right as another's."""
    text: str = "chosen"
    """Answers or texts in which markers are counted, where there are any."""
    markers: Annotated[tuple[str, ...], Field(min_length=1)] = MARKERS
    """Words that begin a correction; case counts."""

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: rows, unread (rows without both outcomes), standard_error, measures."""
        there = self.text in rows.names
        table = rows.table([self.own, self.theirs, *([self.text] if there else [])])
        own, theirs = (floats(flat(table[name])) for name in (self.own, self.theirs))
        sound = np.isfinite(own) & np.isfinite(theirs)
        if not sound.any():
            raise InputError("no row has both outcomes", place=self.name, hint="synth.self_correction writes them")
        found, error = blind_spot(own[sound], theirs[sound])
        measures = [
            measure("accuracy on its own errors", share_of(own[sound])),
            measure("accuracy on others' errors", share_of(theirs[sound])),
            measure("blind spot", found, leaning(found, 0, "blind to its own", "blind to others'")),
        ]
        if there:
            measures.append(
                measure("answers with a marker of correction", marked(flat(table[self.text]), self.markers))
            )
        return {
            "rows": int(sound.sum()),
            "unread": int((~sound).sum()),
            "standard_error": round(error, 4) if np.isfinite(error) else None,
            "measures": measures,
        }


def blind_spot(own: np.ndarray, theirs: np.ndarray) -> tuple[Estimate, float]:
    """(u - m) / u with u = mean of `theirs`, m = mean of `own` [n], and its standard error; NaN where u = 0.

    The variance of m/u over pairs is that of the mean of (own - (m/u) theirs) / u.
    """
    n, u = len(own), float(theirs.mean())
    if u == 0:
        return NOTHING, float("nan")
    ratio = float(own.mean()) / u
    variance = float(((own - ratio * theirs) / u).var(ddof=1)) / n if n > 1 else float("nan")
    return around(1 - ratio, variance, n), float(np.sqrt(variance))


def marked(column: pa.Array, markers: tuple[str, ...]) -> Estimate:
    """The share of texts [n] in which a marker begins a sentence or line; nulls do not count."""
    texts = answer_text(column) if pa.types.is_struct(column.type) else column.cast(pa.string())
    either = "|".join(re.escape(marker) for marker in markers)
    found = pc.match_substring_regex(texts, rf"(?m)(?:^|[.!?]\s)\W*(?:{either})\b")
    return share_of(floats(found.drop_null()))
