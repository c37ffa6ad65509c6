"""The document on Spaces and teams is true: its commands are commands, its variables are those that are read."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import app
from attention.commands.main import build_parser

ROOT = Path(app.__file__).parent
DOCUMENT = (ROOT / "attention" / "serving" / "README.md").read_text(encoding="utf-8")
LINES = re.findall(r"^ *```(?:bash|shell)\n(.*?)^ *```", DOCUMENT, re.DOTALL | re.MULTILINE)
COMMANDS = [shlex.split(line) for block in LINES for line in block.splitlines()]


def test_it_has_every_variable_that_is_read():
    files = [ROOT / "app.py", *(ROOT / "attention").rglob("*.py"), *(ROOT / "adapters").rglob("*.py")]
    read = {name for file in files for name in re.findall(r'"(ATTENTION_[A-Z_]+)"', file.read_text("utf-8"))}
    assert read == set(re.findall(r"^\| `(\w+)` \|", DOCUMENT, re.MULTILINE))


def test_the_picture_of_the_space_is_set_and_is_there(tmp_path):
    (line,) = [line.strip() for block in LINES for line in block.splitlines() if "sed " in line]
    (tmp_path / "space").mkdir()
    (tmp_path / "from").mkdir()
    shutil.copy(ROOT / "README.md", tmp_path / "from")
    subprocess.run(["sh", "-c", line], cwd=tmp_path / "from", check=True)
    before, after = (path.read_text("utf-8") for path in (ROOT / "README.md", tmp_path / "space" / "README.md"))
    settings = [yaml.safe_load(text.split("---\n")[1]) for text in (before, after)]
    picture = settings[1].pop("thumbnail").partition("/spaces/OWNER/NAME/resolve/main/")[2]
    assert (ROOT / picture).is_file() and settings[0] == settings[1]
    assert after.split("---\n", 2)[2] == before.split("---\n", 2)[2]


def test_its_commands_are_commands(monkeypatch, capsys):
    parsed = [build_parser().parse_args(words[3:]) for words in COMMANDS if words[:3] == ["python", "-m", "attention"]]
    assert len(parsed) == 1 and parsed[0].command
    monkeypatch.setattr(sys, "argv", ["app.py", "--help"])
    with pytest.raises(SystemExit):
        app.main()
    told = capsys.readouterr().out
    flags = {word for words in COMMANDS if "app.py" in words for word in words if word.startswith("--")}
    assert {"--auth-file", "--root-path"} <= flags and not [flag for flag in flags if flag not in told]
