"""Values of page_and_files.json, computed by definition in plain Python: with neither the page's code nor NumPy.

`python tests/golden/by_definition.py` writes it into the file. The file's texts, names and sentences are written by
hand, and its tables of colours are matplotlib's.
"""

import json
import math
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from pathlib import Path

FILE = Path(__file__).parent / "page_and_files.json"


def range_of(case):
    """The range of a map, the palette's entry of each value (null for a hatched one), and the texts at its bar."""
    hidden = case["is_sink"] if case["sinks"] != "raw" else [0] * len(case["cells"])
    values = _in_unit(case)
    seen = [value for value, is_hidden in zip(values, hidden, strict=True) if not is_hidden]
    high = max([0.0, *seen]) if case["high"] is None else case["high"]
    low = high / 1000 if case["curve"] == "log" else 0.0
    places = [
        None if is_hidden else _place(value, low, high, case["curve"])
        for value, is_hidden in zip(values, hidden, strict=True)
    ]
    write = _times if case["unit"] == "uniform" else _value
    clipped = sum(value > high for value in seen)
    return {
        "low": low,
        "end": high,
        "clipped": clipped,
        "entries": [None if place is None else _entry(place) for place in places],
        "labels": [
            f"≤\u202f{write(low)}" if low > 0 else "0" if write is _value else "0×",
            write(_middle(low, high, case["curve"])) if high > 0 else "",
            ("≥\u202f" if clipped else "") + write(high),
        ],
    }


def difference_of(case):
    """The entry of each difference in a palette whose middle is none, on the range of both maps or on its own."""
    hidden = [a or b for a, b in zip(case["is_sink"][0], case["is_sink"][1], strict=True)]
    before, after = case["before"], case["after"]
    apart = [b - a for a, b in zip(before, after, strict=True)]
    if case["magnified"]:
        high = max(abs(value) for value, is_hidden in zip(apart, hidden, strict=True) if not is_hidden)
    else:
        sides = zip((before, after), case["is_sink"], strict=True)
        high = max(value for values, sinks in sides for value, sink in zip(values, sinks, strict=True) if not sink)
    low = high / 1000 if case["curve"] == "log" else 0.0
    entries = []
    for value, is_hidden in zip(apart, hidden, strict=True):
        side = math.copysign(_place(abs(value), low, high, case["curve"]), value) if value else 0
        entries.append(None if is_hidden else _entry(0.5 + side / 2))
    return {"low": low, "end": high, "entries": entries}


def effect_of(case):
    """The range of a map of effects, the entry of each in a palette whose middle is 0, and the texts at its bar."""
    high = max(map(abs, case["cells"])) if case["high"] is None else case["high"]
    low = high / 1000 if case["curve"] == "log" else 0.0
    clipped = sum(abs(value) > high for value in case["cells"])
    entries = [
        _entry(0.5 + math.copysign(_place(abs(value), low, high, case["curve"]), value) / 2 if value else 0.5)
        for value in case["cells"]
    ]
    least, most = ("≤\u202f", "≥\u202f") if clipped else ("", "")
    labels = [f"{least}−{_value(high)}", "0", f"{most}+{_value(high)}"] if high > 0 else ["0", "", "0"]
    return {"low": low, "end": high, "clipped": clipped, "entries": entries, "labels": labels}


def smoothed(case):
    """Values at the middle of each pixel, bilinear between the centres of cells; hatched cells take no part."""
    rows, cols = ([(a + b) / 2 for a, b in pairwise(edges)] for edges in (case["row_edges"], case["col_edges"]))
    width, height = case["size"]
    down, across = ([_around(centres, i + 0.5) for i in range(n)] for centres, n in ((rows, height), (cols, width)))
    return {"smoothed": [[_between(case, y, x) for x in across] for y in down]}


def divergence_of(case):
    """(KL(P | M) + KL(Q | M)) / 2 in bits, with M = (P + Q) / 2."""
    terms = []
    for p, q in zip(case["p"], case["q"], strict=True):
        terms += [part * math.log2(part / ((p + q) / 2)) for part in (p, q) if part > 0]
    return {"bits": math.fsum(terms) / 2}


def region_of(case):
    """The share of a row's attention on pictures that lies in a place, and that of a row that reads every cell alike.

    Counted in quarters of pixels, one by one: what of a cell lies in a box; a point is the cell that has the quarter
    right of it and below, at the end of a grid the last one.
    """
    parts = []
    for grid in case["grids"]:
        x0, y0, x1, y1 = grid["box_px"]
        rows = grid.get("row_edges_px") or [y0 + (y1 - y0) * i / grid["rows"] for i in range(grid["rows"] + 1)]
        cols = grid.get("col_edges_px") or [x0 + (x1 - x0) * i / grid["cols"] for i in range(grid["cols"] + 1)]
        for top, bottom in pairwise(rows):
            for left, right in pairwise(cols):
                cell = {(x, y) for x in range(*_quarters(left, right)) for y in range(*_quarters(top, bottom))}
                if grid["image"] != case["image"]:
                    parts.append(0.0)
                elif len(case["place"]) == 4:
                    a, b, c, d = case["place"]
                    box = {(x, y) for x, y in cell if 4 * a <= x < 4 * c and 4 * b <= y < 4 * d}
                    parts.append(len(box) / len(cell))
                else:
                    x, y = (min(4 * at, 4 * end - 1) for at, end in zip(case["place"], (x1, y1), strict=True))
                    parts.append(float((math.floor(x), math.floor(y)) in cell))
    inside = [value * part for value, part in zip(case["row"], parts, strict=True)]
    return {"share": math.fsum(inside) / math.fsum(case["row"]), "uniform": math.fsum(parts) / len(parts)}


def _quarters(start, stop):
    assert 4 * start == int(4 * start) and 4 * stop == int(4 * stop), "an edge that is no quarter of a pixel"
    return int(4 * start), int(4 * stop)


def palettes():
    """256 colours of each palette as hexadecimal digits."""
    from matplotlib import colormaps

    names = {"cividis": "cividis", "magma": "magma", "viridis": "viridis", "blues": "Blues", "differences": "RdBu_r"}
    tables = {name: colormaps[of](range(256), bytes=True)[:, :3].tobytes().hex() for name, of in names.items()}
    return tables | {"grey": "".join(f"{i:02x}" * 3 for i in range(256))}


def coverage():
    """Coverage of the picture by each entry, 0 to 255: of a map, of a difference whose middle covers none."""
    shares = {
        "map": [i / 255 for i in range(256)],
        "difference": [max(0, abs(2 * i - 255) - 1) / 254 for i in range(256)],
    }
    return {name: [round(255 * share**0.75) for share in each] for name, each in shares.items()}


def completed(golden):
    """The file's cases with what is expected of each, as it is by definition."""
    by = {"ranges": range_of, "differences": difference_of, "smoothing": smoothed, "divergence": divergence_of}
    by |= {"regions": region_of, "effects": effect_of}
    computed = {name: [case | expected(case) for case in golden[name]] for name, expected in by.items()}
    return golden | computed | {"palettes": palettes(), "coverage": coverage()}


def _in_unit(case):
    cells, row = case["cells"], case["sink_mass"]
    values = [value / (1 - row) for value in cells] if case["sinks"] == "renormalised" and row > 0 else cells
    even = sum(cells) / len(cells)
    return [value / even for value in values] if case["unit"] == "uniform" else values


def _place(value, low, high, curve):
    if high <= 0 or value <= low:
        return 0.0
    if value >= high:
        return 1.0
    if curve == "log":
        return math.log(value / low) / math.log(high / low)
    return ((value - low) / (high - low)) ** (0.5 if curve == "sqrt" else 1)


def _middle(low, high, curve):
    """The value in the middle of a range."""
    return math.sqrt(low * high) if curve == "log" else low + (high - low) * (0.25 if curve == "sqrt" else 0.5)


def _entry(place):
    next_ = round(256 * place)
    assert not 0 < next_ < 256 or place == 0.5 or abs(256 * place - next_) > 1e-3, "too near to another colour"
    return min(255, math.floor(256 * place))


def _value(value):
    return _rounded(value, 3)


def _times(value):
    return _rounded(value, 2) + "×"


def _rounded(value, digits):
    """Significant digits, half up; with an exponent below a thousandth."""
    if value == 0:
        return "0"
    exact = Decimal(value)
    text = exact.quantize(Decimal(1).scaleb(exact.adjusted() - digits + 1), rounding=ROUND_HALF_UP)
    return f"{text:e}".replace("e+", "e") if text < Decimal("0.001") else f"{text:f}"


def _around(centres, at):
    """The two centres around a place with their weights; outside of the outermost, that one alone."""
    if at <= centres[0]:
        return [(0, 1.0)]
    for i, (a, b) in enumerate(pairwise(centres)):
        if at < b:
            return [(i, (b - at) / (b - a)), (i + 1, (at - a) / (b - a))]
    return [(len(centres) - 1, 1.0)]


def _between(case, rows, cols):
    parts = [
        (down * across, case["values"][i][j]) for i, down in rows for j, across in cols if not case["hidden"][i][j]
    ]
    weight = math.fsum(part for part, _ in parts)
    return math.fsum(part * value for part, value in parts) / weight if weight > 0 else None


def written(golden):
    """The file's text, a line for each case."""
    parts = []
    for name, part in golden.items():
        if isinstance(part, str):
            parts.append(f"{_line(name)}: {_line(part)}")
        elif isinstance(part, dict):
            parts.append(
                f"{_line(name)}: {{\n" + ",\n".join(f"  {_line(key)}: {_line(part[key])}" for key in part) + "\n}"
            )
        else:
            parts.append(f"{_line(name)}: [\n" + ",\n".join(f"  {_line(case)}" for case in part) + "\n]")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _line(value):
    return json.dumps(value, ensure_ascii=False).replace("\u202f", "\\u202f")  # which nobody would see


if __name__ == "__main__":
    FILE.write_text(written(completed(json.loads(FILE.read_text(encoding="utf-8")))), encoding="utf-8")
