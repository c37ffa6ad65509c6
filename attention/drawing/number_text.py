"""Numbers as the page writes them: values, multiples, shares, strengths, and what stands at a colour bar.

One rule for the page (assets/viewer/data/format.js) and the files: the exact value is rounded half up, away from zero;
tests/golden/page_and_files.json holds both to the same texts.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal, localcontext

from .colour_range import Drawn, DrawnDifference

SPACE = "\u202f"  # narrow, and no line is broken there
NO_NUMBER = "–"


def bar_labels(how: Drawn) -> tuple[str, str, str]:
    """The ends and the middle of the colour bar, as the page writes them."""
    write = format_times if how.unit == "uniform" else format_value
    low = f"≤{SPACE}{write(how.low)}" if how.low > 0 else write(0)
    return low, write(how.value_at(0.5)) if how.high > 0 else "", (f"≥{SPACE}" if how.clipped else "") + write(how.high)


def signed_labels(how: DrawnDifference) -> tuple[str, str, str]:
    """The ends and the middle of the bar of numbers with a sign."""
    if how.high <= 0:
        return "0", "", "0"
    end = (format_times if how.unit == "uniform" else format_value)(how.high)
    least, most = (f"≤{SPACE}", f"≥{SPACE}") if how.clipped else ("", "")
    return f"{least}−{end}", "0", f"{most}+{end}"


def bar_note(how: Drawn, what: str = "attention") -> str:
    """The unit, and what the colours do not show."""
    write = format_times if how.unit == "uniform" else format_value
    note = "times even attention" if how.unit == "uniform" else what
    if how.curve != "linear":
        note += {"sqrt": ", square root", "log": ", logarithm"}[how.curve]
    if how.clipped:
        cells = "1 cell" if how.clipped == 1 else f"{how.clipped} cells"
        note += f" · {cells} above, up to {write(how.largest)}"
    return note


def format_value(value: float) -> str:
    """Three significant digits: 0.123, 0.00332, 3.32e-5, 1234, 1.23e6."""
    size = abs(value)
    if not math.isfinite(value):
        return NO_NUMBER
    if value == 0:
        return "0"
    if size < 9.995e-4 or size >= 999_999.5:
        return _scientific(value, 2)
    text = _fixed(value, 0) if size >= 999.5 else _significant(value, 3)
    return "1" if text == "1.00" else text


def format_times(times: float) -> str:
    """A multiple of even attention: 7.2×, 130×, 0.041×, 3.4e-5×, 1.2e9×."""
    size = abs(times)
    if not math.isfinite(times):
        return NO_NUMBER
    if times == 0:
        return "0×"
    if size < 9.95e-4 or size >= 999_999.5:
        return f"{_scientific(times, 1)}×"
    return f"{_fixed(times, 0) if size >= 99.5 else _significant(times, 2)}×"


def format_percent(share: float) -> str:
    """A share of 1 as per cent, without an exponent: 48.6 %, 0.012 %, 0.000006 %."""
    percent = 100 * float(share)
    size = abs(percent)
    if not math.isfinite(percent):
        return NO_NUMBER
    if 0 < size < 9.5e-7:
        return f"{'-' if percent < 0 else ''}<0.000001{SPACE}%"
    text = (
        "0" if percent == 0 else _fixed(percent, 1) if size >= 9.95
        else _significant(percent, 2 if size >= 0.0995 else 1)
    )  # fmt: skip
    return f"{'100' if text == '100.0' else text}{SPACE}%"


def format_strength(scale: float) -> str:
    """The strength of an adapter in words: ×1, ×0.5, ×0.063."""
    text = _fixed(scale, 3)
    return f"×{text.rstrip('0').rstrip('.')}"


def format_seconds(seconds: float) -> str:
    """Seconds as the page writes them beside a frame: 0.25 s, 2 s, 1234.5 s."""
    return f"{_fixed(seconds, 2).rstrip('0').rstrip('.')} s"


def _fixed(value: float, decimals: int) -> str:
    with localcontext() as context:
        context.rounding = ROUND_HALF_UP
        return f"{Decimal(float(value)):.{decimals}f}"


def _scientific(value: float, decimals: int) -> str:
    with localcontext() as context:
        context.rounding = ROUND_HALF_UP
        digits, power = f"{Decimal(float(value)):.{decimals}e}".split("e")
    return f"{digits}e{int(power)}"


def _significant(value: float, digits: int) -> str:
    power = int(_scientific(value, digits - 1).split("e")[1])
    return _fixed(value, max(0, digits - 1 - power))
