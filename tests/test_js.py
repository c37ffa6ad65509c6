"""The viewer's pure modules, tested where they run: the tests of tests/js/ in Node, with no packages."""

import re
import subprocess
from pathlib import Path

import pytest
from programs import require

ROOT = Path(__file__).parent.parent
VIEWER = ROOT / "assets" / "viewer"
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
LAYERS = [line.split() for line in re.search(r"```viewer\n(.*?)```", CONTRIBUTING, re.DOTALL)[1].splitlines()]


@pytest.mark.node
def test_the_modules_pass_their_own_tests():
    files = sorted(str(path) for path in (ROOT / "tests" / "js").rglob("*.test.js"))
    assert files
    # in one process: `node --test` starts one for each file, and each compiles the modules anew
    script = "for (const file of process.argv.slice(1)) await import(file)"
    command = [require("node"), "--input-type=module", "-e", script, *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    passed = re.search(r"^\S* ?pass (\d+)$", done.stdout, re.MULTILINE)
    assert int(passed[1]) >= len(files), "every file has a test"


def modules():
    return sorted(VIEWER.rglob("*.js"))


def test_imports_of_modules_point_one_way():
    """A room imports from itself and from the rooms before it; entries stand beside the rooms."""
    rank = {room: line for line, rooms in enumerate(LAYERS) for room in rooms}
    for path in modules():
        room = path.relative_to(VIEWER).parts[0] if path.parent != VIEWER else "entries"
        for other in re.findall(r"^(?:import|export)\b[^;]*?from '(\.[^']+)'", path.read_text(), re.MULTILINE):
            found = (path.parent / other).resolve()
            assert found.is_file(), (path, other)
            to = found.relative_to(VIEWER).parts[0]
            assert to == room or rank[to] < rank[room], f"{path.relative_to(VIEWER)} imports {other}"


def test_pure_modules_know_no_document():
    pure = [path for path in modules() if path.parent != VIEWER and "views" not in path.parts]
    assert len(pure) > 40
    for path in pure:
        code = "\n".join(
            line for line in path.read_text().splitlines() if not line.lstrip().startswith(("*", "/*", "//"))
        )
        assert "document" not in code and "window" not in code, path.name


def test_model_text_never_becomes_html():
    for path in modules():
        code = path.read_text()
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
            assert way not in code, f"{path.name} uses {way}"
