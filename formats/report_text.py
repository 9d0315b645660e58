"""How the report writes numbers, times and excerpts."""

from __future__ import annotations

import math

MINUS = "\N{MINUS SIGN}"
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def count(value: float) -> str:
    """A whole number with thousands separators: `1,169`."""
    return f"{round(value):,}".replace("-", MINUS)


def figure(value: float | None) -> str:
    """A measured value to three significant digits, a dash when there is none."""
    if value is None or not math.isfinite(value):
        return "\N{EN DASH}"
    size = abs(value)
    if size >= 1000:
        return compact(value)
    if value == round(value):
        return count(value)
    digits = max(0, 2 - math.floor(math.log10(size)))
    text = f"{value:.{min(digits, 6)}f}" if size >= 1e-4 else f"{value:.1e}"
    return text.replace("-", MINUS)


def compact(value: float) -> str:
    """A short form for axes and totals: `12.3k`, `4.5M`."""
    size, unit = abs(value), ""
    for step, name in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= step:
            value, unit = value / step, name
            break
    text = f"{value:.1f}".removesuffix(".0") if unit else f"{value:.3g}"
    return (text + unit).replace("-", MINUS)


def tick(value: float) -> str:
    """A place on an axis: two significant digits, whole numbers whole."""
    if abs(value) >= 1000:
        return compact(value)
    return f"{float(f'{value:.2g}'):g}".replace("-", MINUS) if abs(value) < 100 else count(value)


def percent(share: float | None) -> str:
    """A share in [0, 1] as a percentage; small ones keep a decimal, a dash when there is none."""
    if share is None or not math.isfinite(share):
        return "\N{EN DASH}"
    value = 100 * share
    whole = value == 0 or abs(value) >= 10
    return f"{value:.0f}\N{NARROW NO-BREAK SPACE}%" if whole else f"{value:.1f}\N{NARROW NO-BREAK SPACE}%"


def accuracy(value: float) -> str:
    """A share as statisticians print it: `.68`, `1.00`."""
    return f"{value:.2f}".removeprefix("0")


def seconds(value: float) -> str:
    """A duration at the precision a reader needs: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if value < 10:
        return f"{value:.1f} s" if value >= 0.05 or value == 0 else "< 0.1 s"
    if value < 60:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def money(value: float) -> str:
    """US dollars: cents from one dollar on, four decimals below."""
    if value == 0:
        return "$0"
    return f"${value:,.2f}" if value >= 1 else f"${value:.4f}"


def size(bytes_: float) -> str:
    """Bytes in binary units: `412 MiB`."""
    units = ("B", "KiB", "MiB", "GiB", "TiB")
    step = min(int(math.log(bytes_, 1024)), len(units) - 1) if bytes_ >= 1 else 0
    value = bytes_ / 1024**step
    return f"{value:.1f} {units[step]}" if value < 10 and step > 1 else f"{value:.0f} {units[step]}"


def excerpt(text: str | None, most: int) -> str:
    """The first `most` characters, cut at a word where one ends near; an ellipsis marks the cut."""
    if text is None:
        return ""
    text = text.strip()
    if len(text) <= most:
        return text
    head = text[:most]
    space = head.rfind(" ")
    return (head[:space] if space > most * 0.8 else head).rstrip() + ELLIPSIS


def value_text(value: object) -> str:
    """One deciding value of a row, short."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value) if abs(value) < 10**12 else str(value)
    if isinstance(value, float):
        return figure(value)
    return excerpt(str(value), 80)
