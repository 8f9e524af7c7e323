"""Write the table of docs/crowd-api.md from the operations themselves: `make schema`."""

import inspect
import re
from pathlib import Path

from replicate.crowdserver.limits import COUNTS, LENGTHS, RANGES, XML, XML_BYTES
from replicate.crowdserver.operations import NOT_OFFERED, OPERATIONS
from replicate.crowdserver.protocol import service_model

PAGE = Path(__file__).with_name("crowd-api.md")
SECTION = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end of \w+ -->)", re.DOTALL)


def operations_table() -> str:
    """The 39 operations, and what this server does for each."""
    text = "| operation | what this server does |\n|---|---|\n"
    for name in sorted(service_model().operation_names):
        if name in NOT_OFFERED:
            what = f"Not offered: {NOT_OFFERED[name]}. Answers `OperationNotSupported`."
        else:
            doc = inspect.cleandoc(OPERATIONS[name].__doc__ or "")
            what = " ".join(re.split(r"\n(?:Args|Raises|Returns):\n", doc)[0].split())
        text += f"| {name} | {what} |\n"
    return text


def limits_table() -> str:
    """The limits that the service model does not carry."""
    rows = [f"| {name} | at most {most} characters |" for name, most in LENGTHS.items()]
    rows += [f"| {name} | {low} to {high} |" for name, (low, high) in RANGES.items()]
    rows += [f"| {name} | {low} to {high} members |" for name, (low, high) in COUNTS.items()]
    rows += [f"| {name} | at most {XML_BYTES} bytes |" for name in XML]
    return "| parameter | limit |\n|---|---|\n" + "".join(f"{row}\n" for row in sorted(rows))


def page_text(text: str) -> str:
    """The page with its tables made anew."""
    tables = {"operations": operations_table, "limits": limits_table}
    return SECTION.sub(lambda match: f"{match[1]}{tables[match[2]]()}{match[3]}", text)


if __name__ == "__main__":
    PAGE.write_text(page_text(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
