"""The catalog lists what can be chosen for a base whatever is broken beside it; a choice means one place only."""

import json
import shutil

import pytest
from adapter_folders import BASE, write_adapter
from fake_hub import fake_hub

from adapters import catalog, hub
from adapters.catalog import Offer, find_adapter, offered_adapters, short_name, split_scale
from adapters.files import CONFIG, WEIGHTS
from attention.errors import AdapterRefused, AdapterUnavailable, AttentionError, InvalidRequest, quoted


@pytest.fixture(autouse=True)
def bundled(tmp_path, monkeypatch):
    """Two bundled adapters, and a folder that is none; and no list of the Hub from another test."""
    folder = tmp_path / "bundled"
    for name in ("largest", "colors"):
        write_adapter(folder / name, "pocket")
    (folder / "notes").mkdir()
    monkeypatch.setattr(catalog, "BUNDLED", folder)
    monkeypatch.setattr(hub, "_listings", {})
    return folder


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "trainings"
    folder.mkdir()
    return folder.resolve()


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def labels(root, model_id=BASE):
    return [offer.label for offer in offered_adapters(model_id, root, ask_hub=False)[0]]


# What is offered


def test_bundled_adapters_are_offered_for_the_bundled_model_alone():
    offers, notes = offered_adapters("pocket")
    assert [(offer.id, offer.source) for offer in offers] == [("colors", "bundled"), ("largest", "bundled")]
    assert notes == [] and offered_adapters(BASE, ask_hub=False) == ([], [])


def test_without_bundled_adapters_there_is_an_empty_list(monkeypatch, tmp_path):
    monkeypatch.setattr(catalog, "BUNDLED", tmp_path / "none")
    assert offered_adapters("pocket") == ([], [])


def test_an_offer_is_json():
    offer = Offer("a/b", "a/b", "hub", note="gated")
    assert json.loads(json.dumps(offer.to_dict())) == {
        "id": "a/b", "label": "a/b", "source": "hub", "series": None, "step": None, "note": "gated",
    }  # fmt: skip


def test_checkpoints_are_one_series_in_their_order(root):
    for step in (1000, 200, 50):
        write_adapter(root / "runs" / "lr=0.1" / f"checkpoint-{step}")
    write_adapter(root / "runs" / "lr=0.1")
    write_adapter(root / "checkpoint-7")
    write_adapter(root / "alone")
    offers, notes = offered_adapters(BASE, root, ask_hub=False)
    assert [(offer.label, offer.series, offer.step) for offer in offers] == [
        ("alone", None, None),
        ("runs/lr=0.1/checkpoint-50", "runs/lr=0.1", 50),
        ("runs/lr=0.1/checkpoint-200", "runs/lr=0.1", 200),
        ("runs/lr=0.1/checkpoint-1000", "runs/lr=0.1", 1000),
        ("runs/lr=0.1", None, None),
        ("checkpoint-7", "trainings", 7),
    ]
    assert notes == []
    for offer in offers:
        assert find_adapter(offer.id, BASE).header and find_adapter(offer.id, BASE, root, is_hosted=True).header


def test_a_folder_that_is_an_adapter_itself_is_offered(root):
    assert labels(write_adapter(root)) == ["trainings"]


def test_adapters_of_another_base_come_last_and_say_so(root):
    bases = {
        "a-other": "Qwen/Qwen3-VL-8B-Instruct",
        "b-thinking": "Qwen/Qwen3-VL-2B-Thinking",
        "c-pocket": "pocket",
        "d-none": None,
        "e-folder": "/home/someone/models/mine",
        "f-number": 7,
        "g-same": BASE,
        "h-copy": "unsloth/qwen3-vl-2b-instruct-unsloth-bnb-4bit",
        "i-here": "/models/Qwen3-VL-2B-Instruct/",
    }
    for name, base in bases.items():
        write_adapter(root / name, base)
    offers, _ = offered_adapters(BASE, root, ask_hub=False)
    assert [(offer.label, offer.note) for offer in offers] == [
        ("d-none", "its base is not known"),
        ("e-folder", "its base is not known"),
        ("f-number", "its base is not known"),
        ("g-same", None),
        ("h-copy", None),
        ("i-here", None),
        ("a-other", "for Qwen/Qwen3-VL-8B-Instruct"),
        ("b-thinking", "for Qwen/Qwen3-VL-2B-Thinking"),
        ("c-pocket", "for pocket"),
    ]
    below = [offer.label for offer in offered_adapters("pocket", root)[0] if offer.source == "folder"]
    assert below[:4] == ["c-pocket", "d-none", "e-folder", "f-number"]


def test_a_broken_folder_does_not_break_the_list(root):
    write_adapter(root / "good")
    (write_adapter(root / "no-json") / CONFIG).write_text("{")
    (write_adapter(root / "no-object") / CONFIG).write_text("[]")
    (write_adapter(root / "large") / CONFIG).write_text(" " * (1 << 20))
    (write_adapter(root / "no-weights") / WEIGHTS).unlink()
    pickled = write_adapter(root / "a-pickle")
    (pickled / WEIGHTS).rename(pickled / "adapter_model.bin")
    offers, notes = offered_adapters(BASE, root, ask_hub=False)
    assert [offer.label for offer in offers] == ["good"]
    assert len(notes) == 4 and "a-pickle are a pickle" in notes[0] and "large is too large" in notes[1]
    assert notes[-1].startswith("2 more folders")


def test_a_folder_that_is_not_there_is_a_sentence(root):
    assert offered_adapters(BASE, root / "none", ask_hub=False)[1] == [
        f"There is no folder {root / 'none'} to look for adapters in."
    ]


def test_hidden_deep_and_too_many_folders_are_left_out(root, monkeypatch):
    for path in ("seen", ".hidden", "a/.cache/b", "1/2/3/4/5", "1/2/3/4/5/6"):
        write_adapter(root / path)
    assert labels(root) == ["1/2/3/4/5", "seen"]
    monkeypatch.setattr(catalog, "MAX_FOLDERS", 4)
    offers, notes = offered_adapters(BASE, root, ask_hub=False)
    assert [offer.label for offer in offers] == ["seen"] and "first 4 folders" in notes[0]


def test_links_that_lead_out_are_not_followed(root, tmp_path):
    """Neither by the list nor by the server; links inside would only show the same twice."""
    outside, inside = write_adapter(tmp_path / "outside"), write_adapter(root / "inside")
    (root / "linked").symlink_to(outside)
    (root / "latest").symlink_to(inside)
    (root / "loop").symlink_to(root)
    (root / "broken").symlink_to(root / "nowhere")
    for name in (CONFIG, WEIGHTS):
        half = root / f"half-{name.split('.')[0]}"
        shutil.copytree(inside, half)
        (half / name).unlink()
        (half / name).symlink_to(outside / name)
    offers, notes = offered_adapters(BASE, root, ask_hub=False)
    assert [offer.label for offer in offers] == ["inside"]
    assert len(notes) == 2 and all("links that lead out of trainings" in note for note in notes)
    for name in ("linked", "half-adapter_config", "half-adapter_model", "inside/../../outside"):
        with pytest.raises(InvalidRequest, match="cannot be read"):
            find_adapter(f"{root}/{name}", BASE, root, is_hosted=True)
        assert find_adapter(f"{root}/{name}", BASE, root).header


def test_the_list_of_the_hub_comes_last_with_what_should_be_known(root, tmp_path, monkeypatch):
    write_adapter(root / "mine")
    copy, siblings = f"unsloth/{BASE.split('/')[1]}", [{"rfilename": CONFIG}, {"rfilename": WEIGHTS}]
    with fake_hub({}, tmp_path / "cache", monkeypatch) as served:
        served.listed = [
            {
                "id": name,
                "downloads": downloads,
                "gated": gated,
                "siblings": siblings,
                "tags": [f"base_model:adapter:{base}"],
            }
            for name, downloads, gated, base in (("a/open", 3, False, BASE), ("b/copy", 2, "auto", copy))
        ]
        offers, notes = offered_adapters(BASE, root)
        assert [(offer.id, offer.source, offer.note) for offer in offers] == [
            (str(root / "mine"), "folder", None), ("a/open", "hub", None), ("b/copy", "hub", f"made on {copy}, gated"),
        ]  # fmt: skip
        assert notes == []
        asked = len(served.queries)
        offered_adapters("pocket", root)
        offered_adapters(str(root), root)
        offered_adapters("Qwen/Qwen3-VL-4B-Instruct", root, ask_hub=False)
        assert len(served.queries) == asked, "only bases of the Hub are asked for"


def test_without_the_hub_the_rest_is_offered(root):
    write_adapter(root / "mine")
    offers, notes = offered_adapters(BASE, root)
    assert [offer.label for offer in offers] == ["mine"]
    assert notes == [f"The Hub was not asked for adapters of {BASE}: this machine is set to work offline."]


# What a choice means


@pytest.mark.parametrize(
    ("text", "adapter", "scale"),
    [
        ("largest", "largest", None), ("largest=0.5", "largest", 0.5), ("a/b@main=1.5", "a/b@main", 1.5),
        ("a/b=0", "a/b", 0.0), ("./lr=1e-4/run", "./lr=1e-4/run", None), ("./lr=1e-4=1", "./lr=1e-4", 1.0),
        ("x=.5", "x", 0.5), ("x=1.", "x", 1.0), ("x=5e-1", "x", 0.5), ("x= 1 ", "x", 1.0), ("x=", "x=", None),
        ("x=half", "x=half", None), ("x=0.5b", "x=0.5b", None), ("x=-0", "x", 0.0),
    ],
)  # fmt: skip
def test_a_scale_is_the_number_behind_the_last_equals_sign(text, adapter, scale):
    assert split_scale(text) == (adapter, scale)


def test_a_path_is_named_by_its_end():
    assert short_name("/home/me/runs/checkpoint-10/") == "runs/checkpoint-10" and short_name("./mine") == "mine"
    for text in ("largest", "owner/name@main", "."):
        assert short_name(text) == text


@pytest.mark.parametrize("scale", ["1.6", "-0.1", "2", "1e9", "nan", "inf", "-inf", "1e999"])
def test_a_scale_out_of_range_is_refused_with_its_value(scale):
    with pytest.raises(InvalidRequest, match=f"from 0 to 1.5, not {scale}"):
        split_scale(f"largest={scale}")


def test_a_scale_needs_an_adapter():
    with pytest.raises(InvalidRequest, match="names no adapter"):
        split_scale("=0.5")


@pytest.mark.parametrize("is_hosted", [False, True])
def test_a_bare_name_is_a_bundled_adapter_of_the_bundled_model(bundled, here, is_hosted):
    found = find_adapter("largest", "pocket", is_hosted=is_hosted)
    assert found.id == "largest" and found.folder == (bundled / "largest").resolve() and found.revision is None
    assert catalog.fetch_adapter(found) is found
    with pytest.raises(InvalidRequest, match=f"largest is for pocket, not for {BASE}"):
        find_adapter("largest", BASE, is_hosted=is_hosted)
    write_adapter(here / "smallest")
    for text in ("smallest", "notes", "", " ", "largest\0", 7, None):
        with pytest.raises(InvalidRequest, match=r"bundled one \(colors, largest\), the id of one on the Hub"):
            find_adapter(text, "pocket", is_hosted=is_hosted)


def test_an_id_of_the_hub_is_never_a_folder_of_the_working_directory(here):
    """As it is for PEFT, which takes the folder without a word."""
    write_adapter(here / "someone" / "stars")
    write_adapter(here / "someone" / "stars--moons")
    with pytest.raises(AdapterUnavailable, match=r"Hub cannot be reached.* of that name here is \./someone/stars\."):
        find_adapter("someone/stars", BASE)
    with pytest.raises(AdapterUnavailable, match=r"not an id of the Hub.* here is \./someone/stars--moons\."):
        find_adapter("someone/stars--moons", BASE)
    with pytest.raises(AdapterUnavailable) as caught:
        find_adapter("someone/stars", BASE, is_hosted=True)
    assert "here" not in str(caught.value)
    found = find_adapter("./someone/stars", BASE)
    assert found.id == "./someone/stars" and found.folder == (here / "someone" / "stars").resolve()


def test_what_is_written_as_a_path_is_a_folder(here, monkeypatch):
    write_adapter(here / "a" / "b" / "c@1")
    for text in ("./a/b/c@1", "a/b/c@1", str(here / "a" / "b" / "c@1"), "../here/a/b/c@1", "a/b/c@1/", "~/a/b/c@1"):
        monkeypatch.setenv("HOME", str(here))
        assert find_adapter(text, BASE).header, text
    monkeypatch.chdir(here / "a" / "b" / "c@1")
    assert find_adapter(".", BASE).header


def test_a_path_that_is_no_adapter_is_said_in_words(root):
    for text, words in (
        (f"{root}/none", "no adapter folder"), (str(root), f"has no {CONFIG}"), ("/" + "n" * 5000, "cannot be read"),
        ("~nobody-of-that-name/x", "cannot be read"),
    ):  # fmt: skip
        with pytest.raises(AdapterUnavailable, match=words):
            find_adapter(text, BASE)
    pickled = write_adapter(root / "pickled")
    (pickled / WEIGHTS).rename(pickled / "adapter_model.bin")
    with pytest.raises(AdapterRefused, match="pickle"):
        find_adapter(str(pickled), BASE)


def test_a_server_says_the_same_of_every_other_folder_there_or_not(root, here, tmp_path):
    write_adapter(root / "mine")
    there = write_adapter(tmp_path / "there")
    write_adapter(here / "near")
    said = set()
    for text in (str(there), f"{there}-not", "./near", ".", "~", "/etc", f"{root}/mine/../../there", "a/b/c"):
        for allowed in (None, root):
            with pytest.raises(AttentionError) as caught:
                find_adapter(text, BASE, allowed, is_hosted=True)
            assert type(caught.value) is InvalidRequest
            said.add(str(caught.value).replace(quoted(text), "?"))
    assert len(said) == 1
    assert find_adapter(f"{root}/mine", BASE, root, is_hosted=True).header
