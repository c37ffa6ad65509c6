"""Numbers as the page writes them: values, multiples, shares, and what stands at a colour bar."""

from __future__ import annotations

from .look import Drawn


def bar_labels(how: Drawn) -> tuple[str, str, str]:
    """The ends and the middle of the colour bar, as the page writes them."""
    write = format_times if how.unit == "uniform" else format_value
    low = f"≤ {write(how.low)}" if how.low > 0 else write(0)
    return low, write(how.value_at(0.5)) if how.high > 0 else "", ("≥ " if how.clipped else "") + write(how.high)


def bar_note(how: Drawn) -> str:
    """The unit, and what the colours do not show."""
    write = format_times if how.unit == "uniform" else format_value
    note = "times even attention" if how.unit == "uniform" else "attention"
    if how.curve != "linear":
        note += {"sqrt": ", square root", "log": ", logarithm"}[how.curve]
    if how.clipped:
        cells = "1 cell" if how.clipped == 1 else f"{how.clipped} cells"
        note += f" · {cells} above, up to {write(how.largest)}"
    return note


def format_value(value: float) -> str:
    """Three significant digits: 0.123, 0.00332, 3.32e-5."""
    if value == 0:
        return "0"
    if abs(value) < 9.995e-4:
        digits, power = f"{value:.2e}".split("e")
        return f"{digits}e{int(power)}"
    text = f"{value:#.3g}".removesuffix(".")
    return "1" if text == "1.00" else text


def format_times(times: float) -> str:
    """A multiple of even attention: 7.2×, 130×, 0.041×."""
    if times == 0:
        return "0×"
    if times >= 99.5:
        return f"{times:.0f}×"
    if times < 9.95e-4:
        digits, power = f"{times:.1e}".split("e")
        return f"{digits}e{int(power)}×"
    return f"{times:#.2g}".removesuffix(".") + "×"


def format_percent(share: float) -> str:
    percent = 100 * share
    if percent == 0:
        return "0 %"
    text = f"{percent:.1f}" if percent >= 9.95 else f"{percent:#.2g}" if percent >= 0.0995 else f"{percent:.1g}"
    return ("100" if text == "100.0" else text) + " %"
