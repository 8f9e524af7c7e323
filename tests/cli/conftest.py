"""Commands run in this process."""

import json
import sys
import warnings

import pytest

from replicate.cli.main import main


@pytest.fixture
def run(capsys, monkeypatch):
    """The command in this process: exit code, its JSON (or text) and what it said."""

    def call(*arguments, as_json=True):
        words = ["replicate", *map(str, arguments), *(["--json"] if as_json else [])]
        monkeypatch.setattr(sys, "argv", words)
        with warnings.catch_warnings(), pytest.raises(SystemExit) as stop:
            warnings.simplefilter("error")  # nothing deep inside a library may complain
            main()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return stop.value.code, json.loads(out) if as_json else out, err

    return call
