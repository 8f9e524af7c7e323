"""Scoring: a study's zoo, or any models on any folder of images."""

import click

from replicate.cli.options import example, json_option, study_option
from replicate.cli.score_compare import compare
from replicate.cli.score_folder import folder, worker
from replicate.cli.stages import options_of, retry_options, run_one


@click.group(
    invoke_without_command=True,
    epilog=example("replicate score", "replicate score --exploratory", "replicate score --shared"),
)
@click.option(
    "--exploratory", is_flag=True, help="Score sets that are not frozen; the report says so."
)
@click.option(
    "--shared", is_flag=True, help="Workers score it, too: replicate score worker -C STUDY."
)
@retry_options
@study_option
@json_option
@click.pass_context
def score(
    ctx: click.Context,
    study_dir: str | None,
    exploratory: bool,
    shared: bool,
    retry: str | None,
    reason: str | None,
    as_json: bool,
) -> None:
    """Score the zoo on the original, the controls and every frozen set.

    Trains what must be trained first. Every image's prediction is kept. With --shared, workers on
    other machines or cards join in, and this waits for them. The subcommands score any models on
    any folder of images, without a study.
    """
    if ctx.invoked_subcommand is not None:
        return
    options = options_of(retry, reason, exploratory=exploratory, shared=shared)
    run_one(study_dir, "score", options, as_json)


score.add_command(folder)
score.add_command(worker)
score.add_command(compare)
