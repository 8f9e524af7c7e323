"""docs/providers.md says what is true: its table, its pipeline lines, its commands."""

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest
from support.command import replicate
from support.paths import ROOT

from replicate.cli.main import cli
from replicate.crowd.endpoints import CLOSED_ON
from replicate.crowd.registry import BUILT_IN
from replicate.pipeline.labelling import LabelConfig

TEXT = (ROOT / "docs" / "providers.md").read_text()


def _blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)


def test_the_table_has_every_provider():
    rows = re.findall(r"^\| `(\w+)` \|", TEXT.partition("Another package")[0], re.MULTILINE)
    assert sorted(rows) == sorted(BUILT_IN)
    assert CLOSED_ON in TEXT


@pytest.mark.parametrize("block", _blocks("toml"))
def test_its_pipeline_lines_are_valid(block):
    LabelConfig.model_validate(tomllib.loads(block))


@pytest.mark.parametrize("line", [line for b in _blocks("sh") for line in b.splitlines()])
def test_its_commands_are_valid(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "votes.csv").touch()  # what the command before has written
    words = shlex.split(line)
    command: click.Command = cli
    parent = None
    while isinstance(command, click.Group):
        name, words = (words[1], words[1:])
        parent = click.Context(command, parent=parent)
        found = command.get_command(parent, name)
        assert found is not None, line
        command = found
    command.make_context(command.name, words[1:], parent=parent)


def test_its_example_of_old_work_does_what_it_says(tmp_path: Path):
    (tmp_path / "batch.csv").write_text(_blocks("csv")[0])
    commands = _blocks("sh")[1].splitlines()
    first = replicate(*shlex.split(commands[0])[1:], "--json", cwd=tmp_path)
    assert first.code == 3, first.err
    assert (first.json()["rows"], first.json()["done"]) == (3, 2)
    assert first.json()["left_out"] == {"rejected": 1}
    second = replicate(*shlex.split(commands[1])[1:], "--json", cwd=tmp_path)
    assert second.code == 0, second.err
    assert second.json()["mean"] == 0.75
