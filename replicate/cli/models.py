"""The models of the zoo."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.cli.options import example, json_option
from replicate.cli.output import emit, say

if TYPE_CHECKING:
    from replicate.zoo.loaded import Description

_FILE = click.Path(path_type=Path)


@click.group()
def models() -> None:
    """List, check and describe the models of the zoo.

    A model's name is SCHEME:NAME. Schemes: small: (trained on a study's own images), timm:,
    torchvision:, open_clip: (these with the extra zoo), hf:, py: (a function of yours), file: (a
    checkpoint), onnx:, predictions: (published predictions alone), and those of other packages.
    """


@models.command(
    "list",
    epilog=example("replicate models list", "replicate models list 'small:mlp*'"),
)
@click.argument("patterns", nargs=-1)
@json_option
def list_models(patterns: tuple[str, ...], as_json: bool) -> None:
    """List the models that match the patterns; without one, the schemes and the small models.

    Wildcards are those of the shell, after the scheme: timm:resnet*.a1_in1k.
    """
    from replicate.zoo.names import expand, small
    from replicate.zoo.schemes import expand_names, schemes

    ours, others = small(patterns or ("small:*",))
    rows: list[dict[str, str | None]] = [
        {"name": spec.name, "family": spec.family} for spec in expand(ours)
    ]
    rows += [{"name": name, "family": None} for name in expand_names(others)]
    value: dict[str, Any] = {"models": rows}
    lines = [f"{row['name']:40} {row['family'] or ''}".rstrip() for row in rows]
    if not patterns:
        value["schemes"] = {"small": "models trained on a study's own images"} | schemes()
        lines = [f"{f'{name}:':13} {words}" for name, words in value["schemes"].items()] + [
            "",
            *lines,
        ]
    emit(value, as_json, "\n".join(lines))


@models.command(
    epilog=example(
        "replicate models check 'small:*'",
        "replicate models check 'small:mlp*' --json",
    )
)
@click.argument("patterns", nargs=-1, required=True)
@click.option("--download", is_flag=True, help="Fetch weights that are not on this machine.")
@click.option("--allow-pickle", is_flag=True, help="Read checkpoints that can run code.")
@json_option
def check(patterns: tuple[str, ...], download: bool, allow_pickle: bool, as_json: bool) -> None:
    """Check that models can be loaded here: each is loaded and run on a black image.

    Ends with 3 if one cannot, and says why; with 2 if a name means no model. Models of the scheme
    small: are checked by name alone, for a study trains them; those of predictions: by reading
    their files.
    """
    from replicate.base.errors import ReplicateError
    from replicate.zoo.names import expand, small
    from replicate.zoo.scheme_predictions import is_published
    from replicate.zoo.schemes import ModelOptions, expand_names, open_model

    ours, others = small(patterns)
    rows: list[dict[str, Any]] = [
        {"name": spec.name, "ok": True, "reason": None} for spec in expand(ours)
    ]
    options = ModelOptions(download=download, allow_pickle=allow_pickle)
    for name in expand_names(others):
        if is_published(name):
            rows.append(_files_row(name))
            say(f"{name}: {rows[-1]['reason'] or 'can be read'}")
            continue
        try:
            model = open_model(name, options)
        except ReplicateError as error:
            rows.append({"name": name, "ok": False, "reason": error.whole})
        else:
            rows.append(
                {
                    "name": name,
                    "ok": True,
                    "reason": None,
                    "n_outputs": model.n_outputs,
                    "parameters": model.parameters,
                    "weights_digest": model.weights_digest,
                    "preprocessing": model.description.preprocessing,
                }
            )
        say(f"{name}: {'can be loaded' if rows[-1]['ok'] else rows[-1]['reason']}")
    failed = [row for row in rows if not row["ok"]]
    emit(
        {"models": rows, "failed": len(failed)},
        as_json,
        f"{len(rows) - len(failed)} of {len(rows)} models can be loaded here.",
    )
    click.get_current_context().exit(3 if failed else 0)


@models.command(
    epilog=example(
        "replicate models show small:linear-s0", "replicate models show predictions:published"
    )
)
@click.argument("pattern")
@click.option("--class-names", type=_FILE, help="Zero-shot: class id and name, one a line.")
@json_option
def show(pattern: str, class_names: Path | None, as_json: bool) -> None:
    """Show what a model is fed, what its outputs mean, and whether its weights are here."""
    from replicate.zoo.names import expand, small
    from replicate.zoo.scheme_predictions import is_published
    from replicate.zoo.schemes import describe, expand_names

    ours, others = small((pattern,))
    values: list[dict[str, Any]] = []
    lines: list[str] = []
    for spec in expand(ours):
        parameters = dict(spec.parameters)
        values.append({"name": spec.name, "family": spec.family, "parameters": parameters})
        lines.append(f"{spec.name}  ({spec.family})")
        lines += [f"  {key} = {item}" for key, item in parameters.items()]
    options = options_of(class_names=class_names)
    for name in expand_names(others):
        if is_published(name):
            row = _files_row(name)
            values.append(row)
            lines += [f"{name}  (published predictions)", *_file_lines(row)]
            continue
        found = describe(name, options)
        values.append(found.as_json())
        lines += _described(found)
    emit({"models": values}, as_json, "\n".join(lines))


def _files_row(name: str) -> dict[str, Any]:
    """What the files of a model of the scheme predictions: hold, and whether they can be read."""
    from replicate.zoo.scheme_predictions import files_of

    sets = {
        set_name: {"path": str(f.path), "n": f.n, "columns": f.columns, "reason": f.problem}
        for set_name, f in files_of(name, Path()).items()
    }
    bad = [row["reason"] for row in sets.values() if row["reason"]]
    reason = "; ".join(map(str, bad)) or None
    return {"name": name, "ok": reason is None, "reason": reason, "sets": sets}


def _file_lines(row: dict[str, Any]) -> list[str]:
    return [
        f"  {set_name or 'any set':12} {each['path']}: "
        + (each["reason"] or f"{each['n']} items, {each['columns'] or 'no'} class ids an item")
        for set_name, each in row["sets"].items()
    ]


def options_of(
    *,
    download: bool = False,
    allow_pickle: bool = False,
    class_names: Path | None = None,
    templates: Path | None = None,
) -> Any:
    """The options that models are opened with, from those of a command.

    Raises:
        MissingError: A file is not there.
        UsageError: A line of the class names has no id and name.
    """
    from replicate.zoo.class_names import read_class_names, read_lines
    from replicate.zoo.schemes import ModelOptions

    named = read_class_names(class_names) if class_names is not None else {}
    prompts = read_lines(templates) if templates is not None else ()
    return ModelOptions(
        download=download,
        allow_pickle=allow_pickle,
        class_ids=tuple(named),
        class_names=tuple(named.values()),
        templates=prompts or ModelOptions().templates,
    )


def _described(found: "Description") -> list[str]:
    outputs = f"{found.n_outputs} outputs" if found.n_outputs else "outputs known once loaded"
    known = "with class ids" if found.outputs else "without class ids: a class map is needed"
    return [
        f"{found.name}  ({found.family})",
        f"  sees     {found.view.name}, mean {_three(found.mean)}, std {_three(found.std)}"
        + ("" if found.exact else " (not exact to the bit)"),
        f"  outputs  {outputs}, {known}",
        f"  weights  {found.weights or found.missing or 'made by a function'}",
        *(f"  {key:8} {value}" for key, value in found.card.items()),
    ]


def _three(values: tuple[float, ...]) -> str:
    return "/".join(f"{value:.3g}" for value in values)
