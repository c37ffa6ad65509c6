"""Help of the command line: examples that work as they stand, then options in groups, each with a word on it."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from attention.commands import main as command_line
from attention.fields import rows
from attention.request import Request

ROOT = Path(__file__).parents[2]
COMMANDS = command_line.build_parser()._subparsers._group_actions[0].choices
OURS = [
    "extract",
    "compare",
    "examples",
    "export",
    "region",
    "score",
    "batch",
    "heads",
    "inspect",
    "models",
    "adapters",
    "verify",
]


def examples(parser):
    """The commands that a help shows, each as a shell reads it."""
    lines = re.sub(r" \\\n +", " ", parser.format_help()).splitlines()
    found = [shlex.split(line) for line in lines if line.startswith("  python -m attention ")]
    return [arguments for _, _, _, *arguments in found]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_word_of_explanation(name):
    assert [action.dest for action in COMMANDS[name]._actions if not action.help] == []


def test_every_field_of_a_request_is_explained_without_a_flag_of_the_command_line():
    for field in rows(Request).values():
        assert field.words and field.group and "--" not in field.words, field.name


@pytest.mark.parametrize("columns", ["50", "80", "100", "250"])
@pytest.mark.parametrize("name", OURS)
def test_help_begins_with_examples_and_fits_the_terminal(monkeypatch, name, columns):
    monkeypatch.setenv("COLUMNS", columns)
    parser = command_line.build_parser()._subparsers._group_actions[0].choices[name]
    text = parser.format_help()
    assert text.startswith("usage: python -m attention") and 2 <= len(examples(parser)) <= 3
    groups = [group for group in parser._action_groups if group._group_actions]
    assert all(group.description for group in groups) and groups[-1].title == "output"
    assert text.index("Examples:") < text.index(f"\n{groups[0].title}:")
    lines = [line for line in text.splitlines() if "|" not in line and "assets/" not in line]  # these cannot be broken
    assert max(map(len, lines)) <= min(100, int(columns))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder that looks like a checkout to a command, and takes what the command writes."""
    for name in ("shapes", "window", "compared"):
        shutil.copytree(ROOT / "assets/examples" / name, tmp_path / "assets/examples" / name)
    for path in (*(ROOT / "assets/examples").glob("*.png"), ROOT / "assets/examples/set.jsonl"):
        shutil.copyfile(path, tmp_path / "assets/examples" / path.name)
    shutil.copytree(ROOT / "assets/pocket/adapters", tmp_path / "assets/pocket/adapters")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["", *OURS])
def test_the_examples_of_the_help_are_commands(name):
    parser = command_line.build_parser()
    for arguments in examples(COMMANDS[name] if name else parser):
        if arguments[-1] != "--help":
            assert parser.parse_args(arguments).command


@pytest.mark.sample(4)
@pytest.mark.parametrize("name", ["extract", "export", "region", "heads", "models", "adapters", "inspect"])
def test_the_examples_of_the_help_work(place, capsys, name):
    for arguments in examples(COMMANDS[name]):
        assert command_line.main(arguments) == 0, (arguments, capsys.readouterr().err)
        assert capsys.readouterr().out
