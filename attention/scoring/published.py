"""Forms in which sets of grounded questions are published, and the items that their lines say.

Owns which fields a form is known by, and how it writes a box: four numbers do not say whether the last two are a width
and a height or a corner. A line that no form is known by, or several, is refused until the form is named. Boxes of the
forms are as the code that scores them reads them, which `source` names.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

from attention.errors import InvalidRequest, quoted, shortened

from .items import BadItem, Item, item_of, name_of, picture_in, read_place

XYWH, XYXY, SHARES = "[x, y, width, height]", "[x0, y0, x1, y1]", "[x0, y0, x1, y1] as shares of the sides"
# refs(unc).p adds the annotation's number to the names of COCO's pictures
OF_REFER = re.compile(r"(COCO_(?:train|val)2014_\d{12})_\d+(\.jpg)")
OURS = "items"


@dataclass(frozen=True)
class Form:
    """One published form: `known_by` are fields that it has, `never` those that only others have.

    `picture` and `texts` are the fields of its picture and of its phrases, of which the first that is there is taken;
    `box` says what its four numbers are, `source` whose reading of them this is.
    """

    name: str
    source: str
    box: str
    picture: tuple[str, ...]
    texts: tuple[str, ...]
    known_by: frozenset[str]
    never: frozenset[str] = frozenset()

    def is_form_of(self, record: Mapping[str, Any]) -> bool:
        """True where a line has the fields that this form is known by."""
        has = {name for name, value in record.items() if value is not None}
        return self.known_by <= has and not self.never & has


FORMS = (
    Form(
        "refer", "references of github.com/lichengunc/refer with their annotation's bbox, as its getRefBox gives it",
        XYWH, ("file_name", "img_path", "image"), ("sentences",), frozenset({"sentences", "bbox", "ann_id", "ref_id"}),
        frozenset({"raw_anns", "captions"}),
    ),
    Form(
        "refcoco-lmms", "rows of lmms-lab/RefCOCO, RefCOCOplus and RefCOCOg, as lmms-eval's utils_rec.py reads them",
        XYWH, ("image", "file_name"), ("answer",), frozenset({"question_id", "answer", "bbox", "segmentation"}),
    ),
    Form(
        "refcoco-jxu124", "rows of jxu124/refcoco, refcocoplus and refcocog, whose boxes are corners",
        XYXY, ("image_path", "image", "file_name"), ("captions", "sentences"),
        frozenset({"bbox", "raw_anns", "ref_id"}),
    ),
    Form(
        "shikra", "REC_*.jsonl of github.com/shikras/shikra, as its rec.py reads them",
        XYXY, ("img_path",), ("expression",), frozenset({"img_path", "expression", "bbox"}),
    ),
    Form(
        "screenspot", "screenspot_*.json and screenspot_*_v2.json, as SeeClick's screenspot_test.py reads them",
        XYWH, ("img_filename",), ("instruction",),
        frozenset({"img_filename", "instruction", "bbox", "data_type", "data_source"}), frozenset({"img_size"}),
    ),
    Form(
        "screenspot-pro", "annotations of ScreenSpot-Pro, as its eval_screenspot_pro.py reads them",
        XYXY, ("img_filename",), ("instruction",),
        frozenset({"img_filename", "instruction", "bbox", "img_size", "application"}),
    ),
    Form(
        "screenspot-hub", "rows of rootsautomation/ScreenSpot and HongxinLi/ScreenSpot_v2, whose boxes are shares",
        SHARES, ("image", "file_name"), ("instruction",),
        frozenset({"instruction", "bbox", "data_type", "data_source"}), frozenset({"img_filename"}),
    ),
)  # fmt: skip
NAMES = (OURS, *(form.name for form in FORMS))


def check_form(form: str | None, wording: str) -> None:
    """Raise InvalidRequest for a form that is none, and for a wording without a place for the question."""
    if form is not None and form not in NAMES:
        raise InvalidRequest(f"The form {quoted(form)} is not known; there is {', '.join(NAMES)}.")
    if not isinstance(wording, str) or "{}" not in wording:
        raise InvalidRequest(f"The wording is {quoted(wording)}; it must have {{}} where the question is to stand.")


def items_of(
    record: Mapping[str, Any],
    folder: str | os.PathLike[str] = ".",
    name: str = "",
    form: str | None = None,
    wording: str = "{}",
) -> list[Item | BadItem]:
    """The items that a line says: one for each of its phrases; a phrase that is none is a BadItem.

    `form` is one of NAMES, by default the one that its fields are known by. `wording` has the question in place of
    `{}`. Raises InvalidRequest for a line that says no item.
    """
    found = form_of(record) if form is None else next((each for each in FORMS if each.name == form), None)
    if found is None:
        item = item_of(record, folder, name)
        return [replace(item, prompt=wording.replace("{}", item.prompt))]
    name = name_of(record, name, ("name", "id", "ref_id", "question_id"))
    phrases = _phrases(record, found)
    image = picture_in(folder, _picture(record, found))
    place = _box(record.get("bbox"), found)
    items: list[Item | BadItem] = []
    for number, phrase in enumerate(phrases, 1):
        own = f"{name}.{number}" if len(phrases) > 1 else name
        if not isinstance(phrase, str) or not phrase.strip():
            items.append(BadItem(own, f"Its phrase is {quoted(phrase)}; it must be a text."))
            continue
        items.append(Item(image, wording.replace("{}", phrase), place, None, own, found.box == SHARES))
    return items


def form_of(record: Mapping[str, Any]) -> Form | None:
    """The form that a line's fields are known by; None for one of our own. Raises InvalidRequest for any other."""
    if "prompt" in record or "bbox" not in record:
        return None  # what is missing is said by name
    known = [form for form in FORMS if form.is_form_of(record)]
    if len(known) == 1:
        return known[0]
    fields = shortened(", ".join(map(str, record)), 200)
    raise InvalidRequest(
        f"Its bbox could be {XYWH} or {XYXY}: the fields {fields} are not those of one form alone. Name it with --form "
        f"({', '.join(form.name for form in FORMS)}), or write box as {XYXY}."
    )


def _phrases(record: Mapping[str, Any], form: Form) -> list[Any]:
    """Phrases of a line for its thing: texts, or objects that have one as `sent` (or `raw`), as refer has them."""
    said = next((record[field] for field in form.texts if record.get(field) is not None), None)
    phrases = said if isinstance(said, list) else [said]
    if said is None or not phrases:
        raise InvalidRequest(f"It has no {' and no '.join(form.texts)}: nothing says what is asked.")
    return [phrase.get("sent", phrase.get("raw")) if isinstance(phrase, Mapping) else phrase for phrase in phrases]


def _picture(record: Mapping[str, Any], form: Form) -> Any:
    """A line's picture; a column of pictures, written as JSON, has its path."""
    image = next((record[field] for field in form.picture if record.get(field) is not None), None)
    if isinstance(image, Mapping) and isinstance(image.get("path"), str):
        image = image["path"]
    match = OF_REFER.fullmatch(image) if form.name == "refer" and isinstance(image, str) else None
    return f"{match[1]}{match[2]}" if match else image


def _box(bbox: Any, form: Form) -> tuple[float, ...]:
    """A line's bbox as corners. Raises InvalidRequest for one that cannot be what the form says it is."""
    if not isinstance(bbox, list | tuple) or len(bbox) != 4:
        raise InvalidRequest(f"bbox is {quoted(bbox)}; in the form {form.name} it is {form.box}.")
    if form.box != XYWH:
        place = read_place(bbox)
    else:
        x, y = read_place(bbox[:2])
        width, height = _size(bbox[2:])
        place = (x, y, x + width, y + height)
    if (form.box == SHARES) != (max(place) <= 1):
        unit = "" if form.box == SHARES else " in pixels"
        raise InvalidRequest(f"bbox is {quoted(bbox)}; in the form {form.name} it is {form.box}{unit}. Is it another?")
    return place


def _size(sides: list[Any] | tuple[Any, ...]) -> tuple[float, float]:
    for name, side in zip(("width", "height"), sides, strict=True):
        if isinstance(side, bool) or not isinstance(side, Real) or not 0 < float(side) < math.inf:
            raise InvalidRequest(f"The {name} of bbox is {quoted(side)}; it is a finite number above 0.")
    return float(sides[0]), float(sides[1])
