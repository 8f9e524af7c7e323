"""The models of the zoo."""

import click

from replicate.cli.options import example, json_option
from replicate.cli.output import emit


@click.group()
def models() -> None:
    """List, check and describe the models of the zoo."""


@models.command("list", epilog=example("replicate models list 'small:mlp*'"))
@click.argument("patterns", nargs=-1)
@json_option
def list_models(patterns: tuple[str, ...], as_json: bool) -> None:
    """List the models that match the patterns (all, without a pattern)."""
    from replicate.zoo.names import expand

    specs = expand(patterns or ("small:*",))
    emit(
        {"models": [{"name": spec.name, "family": spec.family} for spec in specs]},
        as_json,
        "\n".join(f"{spec.name:32} {spec.family}" for spec in specs),
    )


@models.command(epilog=example("replicate models check 'small:*'"))
@click.argument("patterns", nargs=-1, required=True)
@json_option
def check(patterns: tuple[str, ...], as_json: bool) -> None:
    """Check that names or patterns match models; the wrong ones exit with 2."""
    from replicate.zoo.names import expand

    found = {pattern: [spec.name for spec in expand([pattern])] for pattern in patterns}
    emit(
        {"patterns": found},
        as_json,
        "\n".join(f"{pattern}: {len(names)} models" for pattern, names in found.items()),
    )


@models.command(epilog=example("replicate models show small:linear-s0"))
@click.argument("pattern")
@json_option
def show(pattern: str, as_json: bool) -> None:
    """Show what a model's name stands for."""
    from replicate.zoo.names import expand

    specs = expand([pattern])
    values = []
    lines = []
    for spec in specs:
        parameters = dict(spec.parameters)
        values.append({"name": spec.name, "family": spec.family, "parameters": parameters})
        lines.append(f"{spec.name}  ({spec.family})")
        lines += [f"  {key} = {item}" for key, item in parameters.items()]
    emit({"models": values}, as_json, "\n".join(lines))
