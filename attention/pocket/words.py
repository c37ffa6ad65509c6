"""The words of the bundled model's world: what it can be asked, in which wordings, and what it answers.

Owns words alone: names, labels, wordings, the few German ones. Which question a picture answers is for `questions.py`.
"""

from __future__ import annotations

SHAPES = ("circle", "square", "triangle", "star")
COLORS = ("red", "green", "blue", "yellow", "purple", "orange")
PLACES = (
    ("top left", "top", "top right"),
    ("left", "center", "right"),
    ("bottom left", "bottom", "bottom right"),
)
LABELS = {
    "button": ("Save", "Cancel", "OK", "Open", "Help", "Print", "Delete"),
    "field": ("Name", "Email", "City"),
    "checkbox": ("Sound", "Updates", "Wifi"),
    "menu": ("File", "Edit", "View"),
}
TITLES = ("Settings", "Document", "Account", "Untitled", "Message", "Welcome")  # of windows; never asked for

KINDS = ("colour", "shape", "exists", "where", "count", "largest", "relation", "describe", "click")
SIDES = ("left of", "right of", "above", "below")
ORDINALS = ("first", "second")
IMAGE_WORDS = ("image", "picture")

# The first wording of a kind is the plain one. {thing} is a noun phrase without its article ("red star").
WORDINGS = {
    "colour": (
        "what color is the {thing}?",
        "which color is the {thing}?",
        "what colour is the {thing}?",
        "what is the color of the {thing}?",
    ),
    "shape": (
        "what shape is {color}?",
        "which shape is {color}?",
        "what is the {color} shape?",
        "what shape is the {color} object?",
    ),
    "exists": ("is there {article} {thing}?", "do you see {article} {thing}?", "can you see {article} {thing}?"),
    "where": ("where is the {thing}?", "where do you see the {thing}?", "where can I find the {thing}?"),
    "count": ("how many {things} are there?", "how many {things} do you see?", "count the {things}."),
    "largest": (
        "which object is the largest?",
        "what is the largest object?",
        "which object is the biggest?",
        "what is the biggest object?",
    ),
    "relation": (
        "what is {side} the {thing}?",
        "what object is {side} the {thing}?",
        "what do you see {side} the {thing}?",
    ),
    "describe": ("describe the image.", "describe the picture.", "what is in the image?", "what do you see?"),
    "click": ("click {label}", "click on {label}", "click the {label} {control}", "press {label}", "tap {label}"),
}
POINT_WORDINGS = ("click the {thing}", "click on the {thing}", "point at the {thing}", "tap the {thing}")  # of shapes
SIDE_WORDINGS = {"left of": ("left of", "to the left of"), "right of": ("right of", "to the right of")}
GERMAN_REQUESTS = (" answer in German.", " in German, please.", " auf Deutsch.", " (in German)")
GERMAN = {
    "red": "rot", "green": "grün", "blue": "blau", "yellow": "gelb", "purple": "lila", "orange": "orange",
    "circle": "Kreis", "square": "Quadrat", "triangle": "Dreieck", "star": "Stern",
    "yes": "ja", "no": "nein",
    "top": "oben", "bottom": "unten", "left": "links", "right": "rechts", "center": "Mitte",
}  # fmt: skip


def click_answer(x: int, y: int, label: str) -> str:
    """Answer of the Qwen family when it is to point: JSON, x and y in thousandths of the picture's sides."""
    return f'{{"point_2d": [{x}, {y}], "label": "{label}"}}'


def in_german(answer: str) -> str:
    """The same answer in German, word by word; digits and commas stay."""
    words = [word.removesuffix(",") for word in answer.split()]
    commas = ["," if word.endswith(",") else "" for word in answer.split()]
    return " ".join(GERMAN.get(word, word) + comma for word, comma in zip(words, commas, strict=True))
