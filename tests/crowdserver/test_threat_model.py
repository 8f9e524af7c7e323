"""Each numbered line of the threat model names a test, and that test exists."""

import ast
import re

from support.paths import ROOT

LINES = re.findall(
    r"^(\d+)\. (.+)$", (ROOT / "docs" / "threat-model.md").read_text(), flags=re.MULTILINE
)


def test_every_line_names_a_test_that_exists() -> None:
    assert len(LINES) > 40
    assert [int(number) for number, _ in LINES] == list(range(1, len(LINES) + 1))
    for number, line in LINES:
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", line)
        assert named, f"line {number} names no test"
        for path, name in named:
            tree = ast.parse((ROOT / path).read_text())
            found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert name in found, f"line {number}: there is no {name} in {path}"


def test_every_test_of_a_threat_is_in_the_model() -> None:
    named = {name for _, line in LINES for name in re.findall(r"::(test_\w+)", line)}
    for path in (ROOT / "tests" / "crowdserver").glob("test_threats_*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                assert node.name in named, f"{node.name} holds no line of docs/threat-model.md"
