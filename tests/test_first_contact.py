"""The command for a person with a card: its steps on local folders and on a pretended card, and what its zip holds."""

import io
import json
import zipfile
from pathlib import Path

import first_contact
import pytest
import tiny_families
from first_contact import Step, clean, contact, in_a_process, steps_of, take
from PIL import Image
from pretended_cuda import PretendedCuda

from attention.environment import POCKET
from attention.models import loading as models
from attention.models.kept import free

LARGEST = "largest"


@pytest.fixture(autouse=True)
def _no_model_stays():
    yield
    free()


def contents(output: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(output) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def assert_gives_nothing_away(packed: dict[str, bytes], *words: str) -> None:
    for name, content in packed.items():
        for word in (*words, str(Path.home()), str(first_contact.ROOT), "/tmp/"):
            assert word.encode() not in content, f"{name} holds {word}"
        if name.endswith(".png"):
            assert Image.open(io.BytesIO(content)).info == {}


def test_steps_on_a_local_folder_and_after_failures(tmp_path, monkeypatch):
    """Of one tiny model; one that is not there, and one whose code raises with a token and a path in its words."""
    secret = "hf_abcdefghijklmnop"
    monkeypatch.setenv("HF_TOKEN", secret)
    folder = tiny_families.write("smolvlm", tmp_path / "hub" / "SmolVLM-tiny")
    said = []

    def runner(step, place):
        if step.model == "broken":
            raise RuntimeError(f"could not read {tmp_path}/weights with token={secret}")
        return take(step, place)

    steps = [
        Step("windows", "pocket", device="cpu"),
        Step("verify", str(tmp_path / "gone"), device="cpu"),
        Step("verify", "broken"),
        Step("verify", str(folder), device="cpu"),
    ]
    records = contact(steps, tmp_path / "out.zip", runner, said.append)
    assert ["error" in record for record in records] == [False, True, True, False]
    assert records[3]["found"]["passed"] == records[3]["found"]["of"] >= 10
    packed = contents(tmp_path / "out.zip")
    assert {"tables.md", "records.json"} < set(packed)
    assert sum(name.startswith("gallery/") for name in packed) == first_contact.WINDOWS
    assert_gives_nothing_away(packed, secret, str(tmp_path))
    tables = packed["tables.md"].decode()
    assert "| smolvlm | SmolVLM-tiny |" in tables.lower().replace("smolvlm-tiny", "SmolVLM-tiny")
    assert tables.count("[token]") >= 1
    assert len(said) == len(steps) and json.loads(packed["records.json"])


def test_what_is_packed_names_no_token_no_path_and_no_machine(monkeypatch):
    monkeypatch.setattr("platform.node", lambda: "my-machine")
    text = clean(
        "Qwen/Qwen3-VL-2B at /home/me/.cache/hub/models--x and C:\\Users\\me\\x.bin on my-machine, "
        "token=abc123 hf_0123456789abcdef file:///var/a/b.txt: 12/12 and 1/2"
    )
    assert "Qwen/Qwen3-VL-2B" in text and "12/12 and 1/2" in text
    for word in ("/home", "models--x", "Users", "my-machine", "abc123", "hf_0123", "/var"):
        assert word not in text


@pytest.mark.full
@pytest.mark.parametrize("model_type", ["qwen3_vl", "qwen2_5_vl", "gemma3", "internvl", "smolvlm"])
def test_every_family_on_a_pretended_card(model_type, tmp_path, monkeypatch):
    folder = tiny_families.write(model_type, tmp_path / "model")
    with PretendedCuda() as cuda:
        loaded = cuda.moved(models.load(str(folder), "cpu"))
        monkeypatch.setattr(models, "load", lambda *_, **__: loaded)
        steps = steps_of([str(folder)], [], "cuda", has_bench=False)
        records = contact(steps, tmp_path / "out.zip", take, lambda _: None)
    assert [record.get("error") for record in records] == [None, None]
    assert records[0]["found"]["failed"] == []


@pytest.mark.full
def test_all_of_it_in_processes_of_their_own(tmp_path):
    steps = steps_of([str(POCKET)], [f"pocket={LARGEST}"], "cpu")
    records = contact(steps, tmp_path / "out.zip", in_a_process, lambda _: None)
    assert [record.get("error") for record in records] == [None] * 4
    assert not any(record["found"].get("failed") for record in records)
    assert_gives_nothing_away(contents(tmp_path / "out.zip"), str(tmp_path))
