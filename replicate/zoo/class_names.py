"""What classes are called in the prompts of zero-shot models, and the prompts, from files."""

from pathlib import Path

from replicate.base.errors import MissingError, UsageError


def read_lines(path: Path) -> tuple[str, ...]:
    """The lines of a file that are not empty.

    Raises:
        MissingError: There is no such file.
    """
    if not path.is_file():
        raise MissingError(f"There is no file at {path}.")
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return tuple(line.strip() for line in lines if line.strip())


def read_class_names(path: Path) -> dict[str, str]:
    """Class id → name, from a file with ``id,name`` (or a tab) a line.

    Raises:
        MissingError: There is no such file.
        UsageError: A line has no id and name, or a class is named twice.
    """
    found: dict[str, str] = {}
    for line in read_lines(path):
        first, _, rest = line.partition("\t" if "\t" in line else ",")
        class_id, name = first.strip(), rest.strip()
        if not (class_id and name):
            raise UsageError(
                f"{path} has the line {line!r}.", "Write a class id, a comma and its name."
            )
        if class_id in found:
            raise UsageError(f"{path} names the class {class_id!r} twice.")
        found[class_id] = name
    return found
