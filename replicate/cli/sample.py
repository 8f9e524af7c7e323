"""Drawing, freezing and verifying test sets."""

import click

from replicate.base.errors import UsageError
from replicate.cli.options import example, json_option, study_option, the_study
from replicate.cli.output import emit
from replicate.cli.sample_table import show_needs, table
from replicate.cli.stages import options_of, retry_options, run_one


@click.group(
    invoke_without_command=True,
    epilog=example(
        "replicate sample --plan",
        "replicate sample",
        "replicate sample freeze matched",
        "replicate sample --revise matched --exploratory",
    ),
)
@click.option("--plan", is_flag=True, help="Show what is wanted, there and missing.")
@click.option("--revise", metavar="SET", help="Draw the next revision of a set.")
@click.option(
    "--exploratory", is_flag=True, help="With --revise: although models were scored on the set."
)
@retry_options
@study_option
@json_option
@click.pass_context
def sample(
    ctx: click.Context,
    study_dir: str | None,
    plan: bool,
    revise: str | None,
    exploratory: bool,
    retry: str | None,
    reason: str | None,
    as_json: bool,
) -> None:
    """Draw the test sets of the pipeline file's [[sample]] blocks.

    --plan shows, per set, class and stratum, how many images are wanted and there, and how many
    more votes or candidates it would take; nothing is drawn. A set that is drawn can be
    reviewed, then frozen; a frozen set never changes.

    --revise draws a set's next revision: images that reviews, takedowns or votes have made
    ineligible go, all others stay where they can, and a class that nothing happened to stays as
    it is. The revision before is kept.
    """
    if ctx.invoked_subcommand is not None:
        return
    if plan:
        _show_plan(study_dir, as_json)
        return
    if exploratory and revise is None:
        raise UsageError("--exploratory means something only with --revise SET.")
    options = options_of(retry, reason, revise=revise, exploratory=exploratory)
    run_one(study_dir, "sample", options, as_json)


def _show_plan(study_dir: str | None, as_json: bool) -> None:
    from replicate.stages.sample import plan

    show_needs(plan(the_study(study_dir, reading=True)), as_json)


sample.add_command(table)


@sample.command(epilog=example("replicate sample freeze matched"))
@click.argument("name", metavar="SET")
@study_option
@json_option
def freeze(name: str, study_dir: str | None, as_json: bool) -> None:
    """Freeze a test set: from now on it never changes, and it may be scored."""
    from replicate.stages.freezing import freeze as freeze_set

    study = the_study(study_dir)
    with study.lock():
        frozen = freeze_set(study, name)
    emit(
        {"set": frozen.name, "revision": frozen.revision, "n": frozen.n, "digest": frozen.digest},
        as_json,
        f"{frozen.name}-{frozen.revision} is frozen: {frozen.n} images, digest {frozen.digest}",
    )
