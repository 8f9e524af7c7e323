"""The stages, each as a command of its own."""

import sys
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, TypeVar

import click

from replicate.base.errors import UsageError
from replicate.cli.options import example, json_option, study_option, the_study
from replicate.cli.output import emit, stage_exit_code, stage_line

if TYPE_CHECKING:
    from replicate.stages.common import Options

F = TypeVar("F", bound=Callable[..., Any])


def retry_options(function: F) -> F:
    """`--retry failed [--reason R]`."""
    function = click.option("--reason", help="With --retry: only items that failed for this.")(
        function
    )
    return click.option(
        "--retry", type=click.Choice(["failed"]), help="Take up failed items again."
    )(function)


def options_of(
    retry: str | None, reason: str | None, confirm_cost: str | None = None, **more: Any
) -> "Options":
    """The options of a stage, from its command line."""
    from replicate.stages.common import Options

    if reason and not retry:
        raise UsageError("--reason means something only with --retry failed.")
    return Options(
        retry_failed=retry == "failed",
        retry_reason=reason,
        confirm_cost=money(confirm_cost),
        **more,
    )


def money(text: str | None) -> Decimal | None:
    """An amount of US dollars."""
    if text is None:
        return None
    try:
        return Decimal(text.removeprefix("$"))
    except InvalidOperation:
        raise UsageError(f"{text!r} is no amount of money.", "Write it like 12.50") from None


def run_one(study_dir: str | None, name: str, options: "Options", as_json: bool) -> None:
    """Run one stage, print what it did, and exit with the right code."""
    from replicate.cli.run import run_stages

    results = run_stages(the_study(study_dir), [name], options, quiet=True)
    emit(results[0].as_json(), as_json, stage_line(results[0]))
    sys.exit(stage_exit_code(results))


@click.command(epilog=example("replicate gather --plan", "replicate gather --retry failed"))
@click.option("--plan", is_flag=True, help="Show what would be asked, and how long it takes.")
@retry_options
@study_option
@json_option
def gather(
    study_dir: str | None, plan: bool, retry: str | None, reason: str | None, as_json: bool
) -> None:
    """Gather candidates for every class.

    Reads the original, train and control sets; asks the source for each class's terms; downloads
    what it finds. Every page asked for and every image is a row with its outcome.
    """
    if plan:
        from replicate.cli.gather_plan import show_gather_plan

        show_gather_plan(the_study(study_dir), as_json)
        return
    run_one(study_dir, "gather", options_of(retry, reason), as_json)


@click.command(epilog=example("replicate prepare"))
@retry_options
@study_option
@json_option
def prepare(study_dir: str | None, retry: str | None, reason: str | None, as_json: bool) -> None:
    """Prepare all images alike.

    Applies the transformations of [prepare] to originals, controls and candidates, and makes the
    copies that workers see.
    """
    run_one(study_dir, "prepare", options_of(retry, reason), as_json)


@click.command(epilog=example("replicate dedup"))
@retry_options
@study_option
@json_option
def dedup(study_dir: str | None, retry: str | None, reason: str | None, as_json: bool) -> None:
    """Remove near-duplicates of the reference sets, and among the candidates.

    The hash proposes pairs, pixels decide. Every candidate dropped names the image that it is
    too close to.
    """
    run_one(study_dir, "dedup", options_of(retry, reason), as_json)


@click.command(
    epilog=example(
        "replicate publish --plan",
        "replicate publish --confirm-cost 12.50",
        "replicate publish --plan --top-up 10",
    )
)
@click.option("--plan", is_flag=True, help="Show what would be published and what it costs.")
@click.option("--confirm-cost", metavar="TOTAL", help="The total of --plan, in US dollars.")
@click.option(
    "--top-up",
    metavar="VOTES",
    type=click.IntRange(min=1),
    help="Ask again about images with fewer valid votes than this; else [label] min_votes.",
)
@retry_options
@study_option
@json_option
def publish(
    study_dir: str | None,
    plan: bool,
    confirm_cost: str | None,
    top_up: int | None,
    retry: str | None,
    reason: str | None,
    as_json: bool,
) -> None:
    """Publish HITs, once the cost has been seen.

    Nothing is published until --confirm-cost equals the total that --plan shows. Publishing
    again is safe: a HIT carries a token made from its content. Images that were published and
    have too few valid votes (expired HITs, flagged or withdrawn work) are asked about again when
    [label] min_votes or --top-up says how many they need.
    """
    if plan:
        from replicate.cli.plans import show_plan

        show_plan(the_study(study_dir, reading=True), top_up, as_json)
        return
    options = options_of(retry, reason, confirm_cost, top_up=top_up)
    run_one(study_dir, "publish", options, as_json)


@click.command(epilog=example("replicate collect", "replicate collect --recheck"))
@click.option(
    "--recheck",
    is_flag=True,
    help="Look at complete HITs again, too: for work that was withdrawn, rejected or paid since.",
)
@retry_options
@study_option
@json_option
def collect(
    study_dir: str | None, recheck: bool, retry: str | None, reason: str | None, as_json: bool
) -> None:
    """Collect the workers' votes, and pay for them.

    One row a vote; answers that cannot be read are rows with a reason, and are paid too. Run it
    as often as you like while people are labelling: every assignment is stored and paid once.
    [label] pay = "auto" leaves paying to the provider's automatic approval. In a sandbox the
    simulated workers work first.
    """
    run_one(study_dir, "collect", options_of(retry, reason, recheck=recheck), as_json)


@click.command(epilog=example("replicate report"))
@retry_options
@study_option
@json_option
def report(study_dir: str | None, retry: str | None, reason: str | None, as_json: bool) -> None:
    """Write the report: one HTML file, figures as SVG, tables as CSV."""
    run_one(study_dir, "report", options_of(retry, reason), as_json)
