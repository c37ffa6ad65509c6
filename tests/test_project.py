"""How the project is put together: which way imports point, what files may be called, and what is never done."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ENTRY_POINTS = {"app", "attention.__main__", "attention.page", "attention.pocket"}
OURS = ("app", "attention", "adapters")
PACKAGES = {
    "gradio": "gradio>=6.31,<7", "spaces": "spaces>=0.51", "torch": "torch>=2.11,<=2.13.0",
    "transformers": "transformers>=5.23,<6", "peft": "peft>=0.21,<1", "numpy": "numpy", "pillow": "pillow",
    "matplotlib": "matplotlib", "safetensors": "safetensors",
}  # fmt: skip


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources():
    return [ROOT / "app.py", *(path for name in OURS[1:] for path in sorted((ROOT / name).rglob("*.py")))]


def imports(path):
    """Every module that a file imports, anywhere in it, by its full name."""
    package = module_name(path) if path.name == "__init__.py" else module_name(path).rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            name = ".".join([*base, node.module] if node.module else base)
            found |= {name, *(f"{name}.{alias.name}" for alias in node.names)}
    return found


def imported(path, *names):
    """The modules of these names, or below them, that a file imports."""
    return sorted(found for found in imports(path) if f"{found}.".startswith(tuple(f"{name}." for name in names)))


def is_entry_point(path):
    name = module_name(path)
    return name in ENTRY_POINTS or name.startswith(("attention.pocket.", "attention.page."))


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_imports_point_one_way(path):
    name = module_name(path)
    if is_entry_point(path):
        return
    assert not imported(path, "app", "attention.__main__"), "nothing imports an entry point"
    if not name.startswith("adapters"):
        assert not imported(path, "adapters"), "an adapted model is passed in"
        assert not imported(path, "peft"), "PEFT is known in adapters alone"
    if name != "attention.viewer":
        assert not imported(path, "gradio", "spaces"), "Gradio is known to the viewer and the entry points alone"
    leaves = ("attention.tokens", "attention.errors", "attention.scores")
    if name in leaves:
        ours = [found for found in imported(path, "attention") if not found.startswith(leaves) and found != "attention"]
        assert not ours, "tokens, errors and scores import nothing of ours but each other"
    if name == "attention.run":
        assert not imported(path, "attention.models", "attention.families", "torch", "transformers")
    if name.startswith("attention.families"):
        assert not imported(path, "attention.run", "attention.partial", "attention.cache")


@pytest.mark.parametrize("package", ["attention", "attention.run", "attention.cache", "attention.service"])
def test_what_must_be_there_at_once_loads_nothing_heavy(package):
    code = f"import sys, {package}; print(sorted({{'torch', 'transformers', 'gradio', 'peft'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_requirements_are_the_nine_packages():
    assert (ROOT / "requirements.txt").read_text().split() == list(PACKAGES.values())


def test_no_file_is_a_drawer():
    for path in sources():
        words = set(re.split(r"[_.]", path.name)) | set(path.parts[-2:-1])
        assert not words & {"utils", "util", "helpers", "helper", "manager", "common", "misc"}, path


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_no_code_comes_with_data(path):
    text = path.read_text(encoding="utf-8")
    assert not imported(path, "pickle", "dill", "joblib", "shelve", "marshal")
    assert not re.search(r"trust_remote_code\s*=\s*True|allow_pickle\s*=\s*True|weights_only\s*=\s*False", text)
    assert not re.search(r"\b(eval|exec)\(", re.sub(r"\.eval\(", "", text))


def test_every_module_says_what_it_is():
    for path in sources():
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path
