"""Checks with what was measured, and the table that a terminal shows of them. Knows no model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One promise and what was measured. `passed` None: a number to know, not a promise."""

    name: str
    passed: bool | None
    measured: str
    allowed: str = ""
    where: str = ""


def table(checks: list[Check]) -> str:
    """The checks as aligned text, one line each, below what was checked, and a last line that sums up."""
    verdicts = {True: "PASS", False: "FAIL", None: "-"}
    first = next((i for i, check in enumerate(checks) if check.passed is not None), len(checks))
    heading = [", ".join(filter(None, (check.measured, check.where))) for check in checks[:first]]
    checks = checks[first:]
    lines = [("", "check", "measured", "allowed", "")]
    lines += [(verdicts[check.passed], check.name, check.measured, check.allowed, check.where) for check in checks]
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    decided = [check.passed for check in checks if check.passed is not None]
    failed = decided.count(False)
    text.append(f"{failed} of {len(decided)} checks failed." if failed else f"All {len(decided)} checks passed.")
    return "\n".join([*heading, *text])


class Worst:
    """The largest of many errors relative to what is allowed, and where it was."""

    def __init__(self):
        self.share, self.measured, self.allowed, self.where = -1.0, 0.0, 0.0, ""

    def see(self, measured: float, allowed: float, where: str) -> None:
        share = measured / allowed if allowed else (float("inf") if measured else 0.0)
        if not share <= self.share:  # so that NaN is the worst of all
            self.share, self.measured, self.allowed, self.where = share, measured, allowed, where

    def check(self, name: str, decides: bool = True) -> Check:
        if self.share < 0:
            return Check(name, False, "nothing was compared")
        passed = self.share <= 1 if decides else None
        allowed = number(self.allowed) if decides else ""
        return Check(name, passed, number(self.measured), allowed, self.where if self.measured else "")


def number(value: float) -> str:
    return "0" if value == 0 else f"{value:.1e}"
