"""The dialects in which models write points and boxes, and the reading of an answer by their table.

Numbers in prose are no place: only what models are taught to write as one is read as one. Knows no picture and no
family. Every pattern takes time in proportion to the answer's length.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from attention.coordinates import THOUSANDTHS
from attention.runs.tokens import REPLACEMENT, SUBSTITUTE

Numbers = tuple[float, ...]  # x, y or x0, y0, x1, y1

WINDOW = 500  # characters on either side of a place that may be of the same JSON object
MAX_LABEL = 300  # characters
Y_FIRST, A_PLACE = "y before x assumed", "a list taken for a place"


@dataclass(frozen=True)
class Dialect:
    """One way to write places.

    `pattern` has a group `at` with the numbers, and `counts` says how many of them are one place. `space` is that in
    which they count (see `attention.coordinates`), where the way to write says so, and `habit` where the family says
    nothing. `is_action` where an agent acts, and `needs_action` where only an agent's words mean a place. `label` is
    where the label stands: in the JSON `object`, in a tag or the text `before`, in the text `after`, or nowhere.
    `guess` is said of its places.
    """

    pattern: re.Pattern
    counts: tuple[int, ...]
    space: str | None = None
    habit: str | None = None
    is_action: bool = False
    needs_action: bool = False
    is_y_first: bool = False
    label: str = "object"
    guess: str = ""
    read: Callable[[str, tuple[int, ...]], Iterator[Numbers]] | None = None


@dataclass(frozen=True)
class Written:
    """A place as an answer writes it, x before y, and the characters [begin, end) in which it does."""

    numbers: Numbers
    label: str
    begin: int
    end: int
    space: str | None
    habit: str | None
    is_action: bool
    guess: str


def written_places(answer: str, y_first: frozenset[str] = frozenset()) -> list[Written]:
    """The places that an answer names, in its own numbers and its order.

    `y_first` are the keys after which this model's family writes y before x.
    """
    found: list[Written] = []
    rest = answer  # what a dialect has read, none after it reads again
    references = [(match.end(), match[1] or match[2] or match[3]) for match in REFERENCE.finditer(answer)]
    for dialect in DIALECTS:
        taken = []
        for match in dialect.pattern.finditer(rest):
            places = list((dialect.read or _in_lists)(match["at"], dialect.counts))
            is_action = dialect.is_action or (
                dialect.label == "object" and bool(ACTS.search(object_around(answer, *match.span())))
            )
            if not places or (dialect.needs_action and not is_action):
                continue
            taken.append(match.span())
            key = match.groupdict().get("key", "")
            turns, guess = dialect.is_y_first or key in y_first, "" if key in y_first else dialect.guess
            label = _label(answer, rest, match, dialect.label, references)
            found += [
                Written(numbers, label, *match.span(), dialect.space, dialect.habit, is_action, guess)
                for numbers in (map(_turned, places) if turns else places)
            ]
        rest = _blanked(rest, taken)
    return sorted(found, key=lambda place: place.begin)


def object_around(answer: str, begin: int, end: int) -> str:
    """The text of the same JSON object before and after the characters [begin, end) of an answer."""
    before = answer[max(0, begin - WINDOW) : begin]
    opens = before.rfind("{")
    if opens <= before.rfind("}"):
        return ""
    after = REST_OF_OBJECT.match(answer[end : end + WINDOW])
    return f"{before[opens:]} {after[0] if after else ''}"


# The parts of patterns

NUMBER = r"[-+]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|(?i:nan|inf(?:inity)?)\b)"
IN_LIST = r"[\[\](),;\s\d.+eEnNaAiIfFtTyY-]*"
LISTED = rf"[\[(]{IN_LIST}[\])]"  # numbers in brackets, nested or not
GAP = r"(?:\s*,\s*|\s+)"
SPACED = rf"{NUMBER}{GAP}{NUMBER}(?:{GAP}{NUMBER}{GAP}{NUMBER})?"
QUOTE = r"""["']?"""
WHOLE = r"\A(?:```\w{0,10}\s{1,5})?"
FRACTION = r"(?:0?\.\d+|1\.0+)"
END = r"\s*(?:```\s*)?(?:<[^<>\s]{1,40}>\s*){0,3}\Z"  # of a stripped answer, where control tokens may follow
X_AND_Y = rf"""["']x["']\s*:\s*{QUOTE}{NUMBER}{QUOTE}\s*,\s*["']y["']\s*:\s*{QUOTE}{NUMBER}{QUOTE}"""
CORNERS = r"\s*,\s*".join(
    rf"""["'](?:{names})["']\s*:\s*{QUOTE}{NUMBER}{QUOTE}"""
    for names in ("x0|x1|x_?min", "y0|y1|y_?min", "x1|x2|x_?max", "y1|y2|y_?max")
)
ARGUMENTS = r"\((?P<at>(?:[^()\n]|\([^()\n]{0,100}\)){1,500})\)"
PRESS = r"(?i:(?:\w{0,20}_)?[a-z]{0,6}_?click|(?:long_?)?tap|hover|long_?press|mouse_?move|move_?to)"
DRAW = r"(?i:(?:\w{0,20}_)?(?:drag|swipe)(?:_?to)?)"
IN_MARKS = rf"<\|begin_of_box\|>\s*(?P<at>{LISTED})\s*<\|end_of_box\|>"
STRING = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
REST_OF_OBJECT = re.compile(rf"""(?:[^{{}}"']|{STRING}){{0,{WINDOW}}}""", re.DOTALL)
LABEL = re.compile(rf"""["'](?:label|text_content|name)["']\s*:\s*({STRING})""", re.DOTALL)
ACTS = re.compile(r"""["']action(?:_type)?["']""")
REFERENCE = re.compile(
    rf"<\|object_ref_start\|>([^<]{{0,{MAX_LABEL}}})<\|object_ref_end\|>|<ref>([^<]{{0,{MAX_LABEL}}})</ref>"
    rf"|<\|ref\|>([^<]{{0,{MAX_LABEL}}})<\|/ref\|>"
)


def _key(names: str, values: str = LISTED) -> re.Pattern:
    return re.compile(rf"""["'](?P<key>{names})["']\s*:\s*{QUOTE}(?P<at>{values})""")


# Ways to read the numbers


def _all_of(text: str) -> Numbers:
    return tuple(map(float, re.findall(NUMBER, text)))


def _in_lists(text: str, counts: tuple[int, ...]) -> Iterator[Numbers]:
    """The places in a list of numbers, or of lists of them; two corners are a box where a box may stand."""
    groups: list[Numbers] = []
    depth, begin = 0, 0
    for match in re.finditer(r"[\[\]()]", text):
        if match[0] in "[(":
            if depth == 0 and groups and match[0] == "[":
                break  # another list, which belongs to something else
            depth, begin = depth + 1, match.end()
            continue
        if numbers := _all_of(text[begin : match.start()]):
            groups.append(numbers)
        depth, begin = depth - 1, match.end()
    groups = groups or [_all_of(text)]
    if 4 in counts and [len(group) for group in groups] == [2, 2]:
        groups = [groups[0] + groups[1]]
    yield from (group for group in groups if len(group) in counts)


def _attributes(text: str, _: tuple[int, ...]) -> Iterator[Numbers]:
    """Points of x="..", y="..", or of any number of x1="..", y1=".."."""
    found = {name: float(value) for name, value in re.findall(rf"\b([xy]\d{{0,4}})\s*=\s*{QUOTE}({NUMBER})", text)}
    for name, x in found.items():
        if name[0] == "x" and f"y{name[1:]}" in found:
            yield x, found[f"y{name[1:]}"]


def _values(text: str, _: tuple[int, ...]) -> Iterator[Numbers]:
    """One place of the values of "x": .., "y": .., whatever the keys."""
    yield _all_of(re.sub(r"""["']\w+["']\s*:""", " ", text))


def _locations(text: str, _: tuple[int, ...]) -> Iterator[Numbers]:
    """Boxes of four location tokens each; two by themselves are a point."""
    values = [float(value) for value in re.findall(r"\d+", text)]
    size = 2 if len(values) == 2 else 4
    if len(values) % size == 0:
        yield from (tuple(values[i : i + size]) for i in range(0, len(values), size))


NAMED_ARGUMENT = re.compile(
    rf"\b(?:(?:start|end)(?:_box|_point|_coordinate)?|from|to|box|bbox|point|position|coordinates?)\s*[=:]\s*{QUOTE}\s*"
    rf"(?:<[^<>]{{1,20}}>)?\s*({LISTED}|{SPACED})"
)


def _arguments(text: str, counts: tuple[int, ...]) -> Iterator[Numbers]:
    """The places among a call's arguments: start_box='(x,y)', point='<point>x y</point>', x=.., y=.., or x, y."""
    named = [match[1] for match in NAMED_ARGUMENT.finditer(text)]
    places = [place for each in named for place in _in_lists(each, (2, 4))] or list(_attributes(text, counts))
    if not places:
        first = re.match(rf"\s*[\[(]?\s*({NUMBER}(?:\s*,\s*{NUMBER}){{1,3}})\s*[\])]?\s*(?:,|\Z)", text)
        numbers = _all_of(first[1]) if first else ()
        places = [numbers[i : i + 2] for i in range(0, len(numbers), 2)] if len(numbers) in counts else []
    yield from places


def _turned(numbers: Numbers) -> Numbers:
    """y before x, as x before y."""
    return tuple(numbers[i ^ 1] for i in range(len(numbers)))


# The table. Dialects are tried in this order.

DIALECTS = (
    # {"box_2d": [y0, x0, y1, x1], "label": ".."}
    Dialect(_key("box_2d"), (4,), THOUSANDTHS, is_y_first=True, guess=Y_FIRST),
    # {"bbox_2d": [x0, y0, x1, y1], "label": ".."}, {'point_2d': [x, y]}, lists of them
    Dialect(_key("bbox_2d|bboxes_2d|bboxes|bbox|bounding_box|boxes|box"), (4,)),
    Dialect(_key("point_2d|point"), (2,)),
    Dialect(_key("points", rf"\[\s*{LISTED}"), (2,)),
    # {"action": "left_click", "coordinate": [x, y]}, {'action': 'CLICK', 'position': [0.5, 0.3]}
    Dialect(_key("(?:start_|end_)?coordinate2?|start_point|end_point|click_point"), (2,), is_action=True),
    Dialect(_key("start_box|end_box", rf"(?:<\|box_start\|>)?\s*{LISTED}"), (2, 4), is_action=True),
    Dialect(_key("position|coordinates"), (2,), needs_action=True),
    Dialect(re.compile(rf"<parameter=coordinates?>\s*(?P<at>{LISTED})"), (2,), is_action=True, label=""),
    Dialect(re.compile(rf"\b(?P<key>bbox_2d|point_2d)\s*[:=]\s*(?P<at>{LISTED})"), (2, 4)),
    # {"x0": .., "y0": .., "x1": .., "y1": ..}, {"x_min": ..}; {"x": .., "y": ..} of an action, or alone
    Dialect(re.compile(rf"(?P<at>{CORNERS})"), (4,), read=_values),
    Dialect(re.compile(rf"{WHOLE}\{{\s*(?P<at>{X_AND_Y})\s*\}}{END}"), (2,), label="", read=_values),
    Dialect(
        re.compile(rf"""["'](?:arguments|parameters|args)["']\s*:\s*\{{\s*(?P<at>{X_AND_Y})\s*\}}"""),
        (2,),
        is_action=True,
        label="",
        read=_values,
    ),
    Dialect(re.compile(rf"""(?P<at>{X_AND_Y})(?!\s*,\s*["'][wh])"""), (2,), needs_action=True, read=_values),
    # click(10, 20), pyautogui.click(x=0.5, y=0.3), click(start_box='(10,20)'), CLICK(box=[[x0,y0,x1,y1]])
    Dialect(re.compile(rf"\b{PRESS} ?{ARGUMENTS}"), (2,), is_action=True, label="", read=_arguments),
    # drag(start_box='(x,y)', end_box='(x,y)'), drag(x0, y0, x1, y1), scroll(point='<point>x y</point>')
    Dialect(re.compile(rf"\b{DRAW}{ARGUMENTS}"), (2, 4), is_action=True, label="", read=_arguments),
    Dialect(
        re.compile(rf"\b(?i:scroll|\w{{1,20}}(?=\((?:start_box|start_point|point)\s*=)){ARGUMENTS}"),
        (),
        is_action=True,
        label="",
        read=_arguments,
    ),
    # <|object_ref_start|>label<|object_ref_end|><|box_start|>(x0,y0),(x1,y1)<|box_end|>
    Dialect(re.compile(rf"<\|box_start\|>\s*(?P<at>{LISTED})\s*<\|box_end\|>"), (2, 4), label="before"),
    # <ref>label</ref><box>[[x0, y0, x1, y1]]</box>, <box>(x0,y0),(x1,y1)</box>, <bbox>x0 y0 x1 y1</bbox>
    Dialect(
        re.compile(rf"<(?P<tag>b?box)>\s*(?P<at>{LISTED}|{SPACED})\s*</(?P=tag)>"),
        (4,),
        habit=THOUSANDTHS,
        label="before",
    ),
    # <|begin_of_box|>[[x0,y0,x1,y1]]<|end_of_box|>; the same marks stand around answers of any kind
    Dialect(re.compile(IN_MARKS), (4,), habit=THOUSANDTHS, label=""),
    Dialect(re.compile(IN_MARKS), (2,), habit=THOUSANDTHS, label="", guess=A_PLACE),
    # <|ref|>label<|/ref|><|det|>[[x0, y0, x1, y1]]<|/det|>
    Dialect(re.compile(rf"<\|det\|>\s*(?P<at>{LISTED})\s*<\|/det\|>"), (4,), "0-999", label="before"),
    # <point>x y</point>, <point>[[x, y]]</point>
    Dialect(re.compile(rf"<point>\s*(?P<at>{LISTED}|{SPACED})\s*</point>"), (2,), habit=THOUSANDTHS, label="before"),
    # <points x1=".." y1="..">label</points>, <point x=".." y="..">: per cent where the family has no habit of its own
    Dialect(re.compile(r"<points?\s(?P<at>[^<>]+)>"), (2,), habit="0-100", label="after", read=_attributes),
    # <loc0012>: y0 x0 y1 x1 of 1,024, then the label; <loc_12>: x0 y0 x1 y1 of 1,000, after the label
    Dialect(re.compile(r"(?P<at>(?:<loc\d{4}>)+)"), (2, 4), "0-1024", is_y_first=True, label="after", read=_locations),
    Dialect(re.compile(r"(?P<at>(?:<loc_\d{1,4}>)+)"), (2, 4), THOUSANDTHS, label="just before", read=_locations),
    # [[012,345,678,901]], three digits each; lists that are the whole answer
    Dialect(re.compile(r"(?P<at>\[\[\d{3}(?:,\d{3}){3}\]\])"), (4,), habit=THOUSANDTHS, label=""),
    Dialect(
        re.compile(rf"{WHOLE}(?P<at>\[\s*\[[\d\s.,]*\]\s*\]){END}"), (4,), habit=THOUSANDTHS, label="", guess=A_PLACE
    ),
    Dialect(
        re.compile(rf"{WHOLE}(?P<at>[\[(]\s*{FRACTION}(?:\s*,\s*{FRACTION}){{1,3}}\s*[\])]){END}"),
        (2, 4),
        label="",
        guess=A_PLACE,
    ),
)


def _label(answer: str, rest: str, match: re.Match, where: str, references: list[tuple[int, str]]) -> str:
    """The label of a place, or nothing. `references` are [(end, label)] of the tags that name what comes next."""
    begin, end = match.span()
    if where == "object":
        said = LABEL.search(object_around(answer, begin, end))
        return _unquoted(said[1]) if said else ""
    if where == "before":
        index = bisect_right(references, begin, key=lambda reference: reference[0])
        return references[index - 1][1].strip() if index else ""
    if where == "just before":
        return re.findall(r"[^<>;\n]*\Z", answer[max(0, begin - MAX_LABEL) : begin])[0].strip()
    if where == "after" and not match[0].endswith("/>"):
        return re.split(r"[<;\n]", answer[end : end + MAX_LABEL], maxsplit=1)[0].strip()
    return ""


def _unquoted(text: str) -> str:
    try:
        said = json.loads(text, strict=False)
        # an escape may be half of a character, which no file can hold
        return said.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace(REPLACEMENT, SUBSTITUTE)
    except ValueError:  # single quotes, or an escape that JSON has not: models write what they like
        return text[1:-1]


def _blanked(text: str, spans: list[tuple[int, int]]) -> str:
    """A text of the same length, without what stands in these spans (ascending, apart)."""
    parts, position = [], 0
    for begin, end in spans:
        parts += [text[position:begin], "\0" * (end - begin)]
        position = end
    return "".join([*parts, text[position:]])
