"""The README is true: its snippets run as they stand, its tree is the tree, its head is a valid Space card."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
import yaml
from packaging.requirements import Requirement

import app
from attention import open_run
from attention.commands.main import main
from attention.visitors.store import RunCache

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:7860"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder that looks like the project's own to a snippet, and takes what the snippet writes."""
    shutil.copytree(ROOT / "assets" / "examples", tmp_path / "assets" / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    cache = RunCache(tmp_path_factory.mktemp("runs"), library=True)
    service = app.new_service(cache, is_hosted=False, model="pocket")
    demo = app.launch(service, quiet=True)
    service.wait_until_loaded()
    yield demo.local_url.rstrip("/")
    demo.close()
    service.close()


def run(command, place):
    """Output of a program of its own."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_here(code, capsys):
    """Output of a snippet of Python, run in this process: libraries are imported once."""
    exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})
    return capsys.readouterr().out


def call_here(code, capsys):
    """Output of a snippet's commands, each of them run in this process: words as a shell reads them."""
    for line in code.splitlines():
        python, m, module, *arguments = shlex.split(line)
        assert (python, m, module) == ("python", "-m", "attention"), line
        assert main(arguments) == 0, line
    return capsys.readouterr().out


# Snippets


@pytest.mark.slow
def test_python_from_nothing_to_a_map_takes_at_most_six_lines(place, capsys):
    code = next(block for block in blocks("python") if "import Request, extract" in block)
    assert len([line for line in code.splitlines() if line.strip()]) <= 6
    answer, shape = run_here(code, capsys).split(maxsplit=1)
    assert answer == "red"
    assert shape.startswith("(7, 11) ")


@pytest.mark.slow
def test_the_gradio_client(place, address, capsys):
    code = next(block for block in blocks("python") if "gradio_client" in block)
    printed = run_here(code.replace(ADDRESS, address), capsys)
    assert "red 7 rows of cells, drawn in" in printed


@pytest.mark.slow
def test_the_command_line(place, capsys):
    code = next(block for block in blocks("bash") if "attention extract" in block)
    printed = call_here(code, capsys)
    assert "chance" in printed
    assert (place / "star.png").stat().st_size
    assert (place / "star" / "run.json").exists()


@pytest.mark.slow
def test_what_mattered(place, capsys):
    first = next(block for block in blocks("bash") if "attention extract" in block).splitlines()[0]
    if not (place / "star").exists():
        call_here(first, capsys)
    printed = call_here(next(block for block in blocks("bash") if "attention try" in block), capsys)
    assert "hidden the answer's log-probability changes by -9." in printed and "forecast of knock-outs" in printed


@pytest.mark.slow
def test_a_batch_and_a_site(place, capsys):
    if not (place / "star").exists():
        call_here(next(block for block in blocks("bash") if "attention extract" in block).splitlines()[0], capsys)
    call_here(next(block for block in blocks("bash") if "attention batch" in block), capsys)
    assert len(np.load(place / "answers" / "summary.npz")["answer"]) == 12
    assert (place / "star-site" / "index.html").is_file()


@pytest.mark.slow
def test_scores_over_a_set(place, capsys):
    printed = call_here(next(block for block in blocks("bash") if "attention score" in block), capsys)
    assert "largest less base, on 12 items" in printed
    assert (place / "scores" / "scores.json").exists() and (place / "heads.json").exists()


@pytest.mark.slow
def test_adapters_from_python(place, capsys):
    code = next(block for block in blocks("python") if "import choose, compare" in block)
    printed = run_here(code, capsys)
    assert "['red', " in printed and "(5, 4) [{'layer': " in printed


@pytest.mark.slow
def test_adapters_from_the_command_line(place, capsys):
    code = next(block for block in blocks("bash") if "attention compare" in block)
    printed = call_here(code, capsys)
    assert "german" in printed and "largest" in printed
    assert sorted(path.name for path in (place / "both").glob("*/run.json")) == ["run.json"] * 3


def test_every_snippet_is_tried():
    assert len(blocks("python")) == 4  # one of them in a notebook: browser/test_html_file.py
    assert len(blocks("bash")) == 5


@pytest.mark.slow
def test_the_table_of_endpoints_has_every_endpoint_and_field(address):
    """Those of a request are told of as such; a field of an export's look by one word for all."""
    from attention.page.api_fields import OF_A_COMPARISON
    from attention.page.endpoints import export_names

    document = (ROOT / "attention" / "serving" / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `/(\w+)` \| (.*?) \|", document, re.MULTILINE))
    named = httpx.get(f"{address}/gradio_api/info").json()["named_endpoints"]
    assert {f"/{name}" for name in rows} == set(named)
    assert "every input of a `Request`" in rows["analyze"]
    for endpoint, fields in (
        ("compare", OF_A_COMPARISON),
        ("export", set(export_names()) - {"look", "received", "scale", "caption"}),
    ):
        assert not [name for name in fields if not re.search(rf"\b{name}\b", rows[endpoint])], endpoint


@pytest.mark.slow
def test_the_page_is_there_at_the_address(address):
    page = httpx.get(address)
    assert page.status_code == 200
    assert "VLM Attention Viz" in page.text


@pytest.mark.slow
def test_a_notebook_in_the_process_of_the_app_shows_runs_by_it(address):
    with open_run(ROOT / "assets" / "examples" / "shapes") as run:
        shown = re.search(r'<iframe .* src="([^"]+)"', run._repr_html_())[1]
    assert shown.startswith(address)
    assert httpx.get(shown).status_code == 200


# The commands that .ci/run runs


def test_ci_runs_the_readmes_commands():
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    install, test = re.search(r"pip install (-r \S+ -r \S+) && (python -m pytest)", README).groups()
    assert f"\npackages=({install})\n" in ci and ci.count('pip install -q "${packages[@]}"') == 2
    assert f"\n{test} &\n" in ci and ci.endswith("\nwait $tests\n")


# The Space card


# of docs/hub/spaces-config-reference: another name is passed over without a word
CARD_FIELDS = {
    "title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file", "license", "header",
    "short_description", "tags", "models", "datasets", "preload_from_hub", "startup_duration_timeout", "thumbnail",
    "suggested_hardware", "hf_oauth", "hf_oauth_scopes", "hf_oauth_expiration_minutes", "pinned", "fullWidth",
    "disable_embedding", "custom_headers",
}  # fmt: skip
HARDWARE = {
    "cpu-basic", "cpu-upgrade", "t4-small", "t4-medium", "l4x1", "l4x4", "l40sx1", "l40sx4", "l40sx8", "a10g-small",
    "a10g-large", "a10g-largex2", "a10g-largex4", "a100-large", "zero-a10g",
}  # fmt: skip


def page_files():
    return [ROOT / "app.py", *(ROOT / "attention" / "page").glob("*.py")]


def card():
    return yaml.safe_load(README.split("---\n")[1])


def test_the_head_is_a_valid_space_card():
    values = card()
    colors = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert values["title"] == "VLM Attention Viz"
    assert values["sdk"] == "gradio"
    assert values["python_version"] == "3.12"
    assert values["license"] == "apache-2.0"
    assert values["header"] == "mini"
    assert {values["colorFrom"], values["colorTo"]} <= colors
    assert len(values["emoji"].encode("utf-16-le")) <= 8
    assert 0 < len(values["short_description"]) <= 60
    assert (ROOT / values["app_file"]).is_file()
    assert values["models"] == ["Qwen/Qwen3-VL-2B-Instruct", "Qwen/Qwen3-VL-2B-Thinking"]
    assert {entry.split()[0] for entry in values["preload_from_hub"]} <= set(values["models"])
    assert re.fullmatch(r"\d+[mh]", values["startup_duration_timeout"])
    assert values["tags"]
    assert set(values) <= CARD_FIELDS
    assert values.get("thumbnail", "https://").startswith("https://")
    assert values.get("suggested_hardware", "l4x1") in HARDWARE
    # a login is asked for only where it is offered
    assert values.get("hf_oauth", False) == any("LoginButton" in path.read_text("utf-8") for path in page_files())
    # what private and gated adapters need, and no more: each person is asked for it
    assert set(values["hf_oauth_scopes"]) == {"read-repos", "gated-repos"}
    assert 5 <= values.get("hf_oauth_expiration_minutes", 480) <= 480, "a day's work at most, which is the usual"


def test_the_spaces_gradio_lies_within_the_requirements():
    lines = (ROOT / "requirements.txt").read_text().split()
    gradio = next(Requirement(line) for line in lines if line.startswith("gradio"))
    assert gradio.specifier.contains(card()["sdk_version"])


# The tree


def tree_entries():
    """Every path in the tree of CONTRIBUTING.md, folders with a slash."""
    (text,) = re.findall(r"^```tree\n(.*?)^```$", CONTRIBUTING, re.DOTALL | re.MULTILINE)
    folders, paths = [], []
    for line in text.splitlines():
        indent, name = re.match(r"( *)(\S+)", line).groups()
        folders[len(indent) // 2 :] = [name]
        paths.append("".join(folders))
    return paths


def project_files():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [path for path in listed.stdout.splitlines() if (ROOT / path).is_file()]


def test_the_tree_is_the_tree():
    told, files = tree_entries(), project_files()
    for path in told:
        assert any(file == path or file.startswith(path) for file in files), f"{path} is not there"
    opened = {path.rsplit("/", 1 + path.endswith("/"))[0] + "/" for path in told if "/" in path.rstrip("/")}
    for folder in opened:  # a folder of which something is told is told of completely
        there = {file[len(folder) :].split("/")[0] for file in files if file.startswith(folder)}
        shown = {path[len(folder) :].split("/")[0] for path in told if path.startswith(folder) and path != folder}
        assert shown | {"__init__.py"} == there | {"__init__.py"}, folder


def test_files_that_the_readme_names_exist():
    for target in re.findall(r"\]\(((?!http)[^)#]+)\)", README):
        assert (ROOT / target).is_file(), target
