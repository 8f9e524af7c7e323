"""What the command line says when a file ends too early where nobody expected it."""

import click
import pytest

from replicate.cli import main as command_line


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (EOFError("No data left in file"), 1, "Unexpected EOFError: No data left in file"),
        (EOFError(), 130, "Interrupted"),  # the terminal was closed at a prompt
        (KeyboardInterrupt(), 130, "Interrupted"),
    ],
)
def test_the_end_of_a_file_is_no_interruption(monkeypatch, capsys, error, code, said):
    @click.command()
    def ends():
        raise error

    monkeypatch.setattr(command_line, "cli", ends)
    monkeypatch.setattr("sys.argv", ["replicate"])
    with pytest.raises(SystemExit) as stop:
        command_line.main()
    assert stop.value.code == code and said in capsys.readouterr().err
