"""Structure of the project: the way imports point, names of files, and what is never done."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import attention

ROOT = Path(__file__).parent.parent
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
LAYERS = [line.split() for line in re.search(r"```layers\n(.*?)```", CONTRIBUTING, re.DOTALL)[1].splitlines()]
WITH_GRADIO = ("app", "attention.page")
OURS = ("app", "attention", "adapters")
PACKAGES = {
    "gradio": "gradio>=6.31,<7", "spaces": "spaces>=0.51", "torch": "torch>=2.11,<=2.13.0",
    "transformers": "transformers>=5.23,<6", "peft": "peft>=0.21,<1", "numpy": "numpy", "pillow": "pillow>=12.3",
    "matplotlib": "matplotlib", "safetensors": "safetensors",
}  # fmt: skip


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def sources():
    return [ROOT / "app.py", *(path for name in OURS[1:] for path in sorted((ROOT / name).rglob("*.py")))]


def imports(path):
    """Every module that a file imports, anywhere in it, by its full name."""
    return parsed(path)[0]


def docstrings(path):
    """Docstrings of a file, its own first, "" where there is none."""
    return parsed(path)[1]


@cache
def parsed(path):
    package = module_name(path) if path.name == "__init__.py" else module_name(path).rpartition(".")[0]
    found, said = set(), []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            said.append(ast.get_docstring(node, clean=False) or "")
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            name = ".".join([*base, node.module] if node.module else base)
            found |= {name, *(f"{name}.{alias.name}" for alias in node.names)}
    return found, said


def imported(path, *names):
    """The modules of these names, or below them, that a file imports."""
    return sorted(found for found in imports(path) if f"{found}.".startswith(tuple(f"{name}." for name in names)))


@cache
def modules():
    return {module_name(path) for path in sources()}


@cache
def room_of(name):
    """The room of a module, and the line in which it stands."""
    rooms = {room: line for line, rooms in enumerate(LAYERS) for room in rooms}
    room = max((room for room in rooms if f"{name}.".startswith(f"{room}.")), key=len, default=None)
    assert room, f"{name} stands in no layer"
    return room, rooms[room]


def test_imports_point_one_way():
    for path in sources():
        name = module_name(path)
        if name == "attention":  # its public names are loaded when they are asked for
            continue
        room, line = room_of(name)
        for found in imported(path, *OURS):
            if found in modules() and found not in ("attention", "adapters"):
                other, other_line = room_of(found)
                assert other == room or other_line < line, f"{name} imports {found}, which stands beside or below it"
        assert name.startswith("adapters") or not imported(path, "peft"), f"PEFT is known in adapters alone: {name}"
        is_page = name.startswith(WITH_GRADIO)
        assert is_page or not imported(path, "gradio", "spaces"), f"only the page knows Gradio: {name}"
        if name.startswith(("attention.runs", "attention.comparisons")):
            assert not imported(path, "transformers"), f"what is on disk is read without a model: {name}"


@pytest.mark.parametrize(
    "package", ["attention", "attention.runs.run", "attention.visitors.store", "attention.visitors.service"]
)
def test_what_must_be_there_at_once_loads_nothing_heavy(package):
    code = f"import sys, {package}; print(sorted({{'torch', 'transformers', 'gradio', 'peft'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["attention.runs.run", "attention.comparisons.comparison"])
def test_reading_needs_no_schema(module):
    code = f"import sys, {module}; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_requirements_are_the_nine_packages():
    assert (ROOT / "requirements.txt").read_text().split() == list(PACKAGES.values())


def test_one_version_is_said_everywhere():
    version = attention.__version__
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## {version}\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_test_that_the_checklist_names_is_there():
    checklist = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", checklist)
    assert len(named) > 60 and len(named) == checklist.count("::")
    for file, test in named:
        assert f"\ndef {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), f"{file}::{test}"


def test_one_function_holds_a_gpu_and_spaces_comes_first():
    held = [path.name for path in sources() if "spaces" in imports(path) or "spaces.GPU" in path.read_text("utf-8")]
    assert held == ["app.py"]
    body = ast.parse((ROOT / "app.py").read_text(encoding="utf-8")).body
    first = next(node for node in body if isinstance(node, ast.Import | ast.ImportFrom))
    assert isinstance(first, ast.Import) and [alias.name for alias in first.names] == ["spaces"]
    decorated = [node.name for node in body if isinstance(node, ast.FunctionDef) and "spaces" in ast.unparse(node)]
    assert decorated == ["run_job"]


def test_files_are_small_enough_for_a_space():
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [ROOT / name for name in tracked.split("\0") if name and (ROOT / name).is_file()]
    assert max(file.stat().st_size for file in files) < 10_000_000


def test_no_file_is_a_drawer():
    for path in sources():
        words = set(re.split(r"[_.]", path.name)) | set(path.parts[-2:-1])
        assert not words & {"utils", "util", "helpers", "helper", "manager", "common", "misc"}, path


def test_no_code_comes_with_data():
    for path in sources():
        text = path.read_text(encoding="utf-8")
        assert not imported(path, "pickle", "dill", "joblib", "shelve", "marshal"), path
        settings = r"trust_remote_code\s*=\s*True|allow_pickle\s*=\s*True|weights_only\s*=\s*False"
        assert not re.search(settings, text), path
        assert not re.search(r"\b(eval|exec)\(", re.sub(r"\.eval\(", "", text)), path


def test_docstrings_begin_with_a_noun_or_a_verb():
    for path in (*sources(), *sorted((ROOT / "tests").rglob("*.py"))):
        for words in map(str.split, docstrings(path)):
            clause = {"What", "Whether", "Which", "How", "Where", "Who", "Whose", "When", "Why"}
            assert not words or words[0] not in clause, f"{path.name}: {' '.join(words[:8])}"


def test_every_module_says_what_it_is():
    for path in sources():
        assert docstrings(path)[0], path
