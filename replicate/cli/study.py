"""Beginning a study, running it, and looking at it."""

import sys
from pathlib import Path
from typing import Any

import click

from replicate.cli.options import example, json_option, study_option, the_study
from replicate.cli.output import emit, say, stage_exit_code
from replicate.cli.run import run_stages, stage_range
from replicate.cli.stages import money, options_of, retry_options
from replicate.stages.common import STAGES, Options
from replicate.study import PIPELINE_FILE, Study, init_study

SIZES = click.Choice(["small", "full"])


@click.command(epilog=example("replicate init my-study --from digits"))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--from", "template", required=True, help="digits, imagenet_v2 or cifar10_1.")
@click.option("--size", type=SIZES, default="full", show_default=True, help="digits: how big.")
@click.option("--seed", type=click.IntRange(min=0), help="Another seed than the template's.")
@json_option
def init(folder: Path, template: str, size: str, seed: int | None, as_json: bool) -> None:
    """Write a study folder with its pipeline file.

    DIR is made if it is not there. Edit DIR/pipeline.toml, then run the stages.
    """
    study = init_study(folder, template, size, seed)
    pipeline = study.root / PIPELINE_FILE
    emit(
        {"study": str(study.root), "pipeline": str(pipeline)},
        as_json,
        f"{pipeline}\nNext: replicate -C {folder} run",
    )


@click.command(
    epilog=example("replicate demo", "replicate demo --dir small-demo --size small --seed 7")
)
@click.option(
    "--dir",
    "folder",
    metavar="D",
    type=click.Path(path_type=Path),
    default=Path("replicate-demo"),
    show_default=True,
    help="The study folder; one that a demo began is carried on.",
)
@click.option("--seed", type=click.IntRange(min=0), help="The seed of all random choices.")
@click.option("--size", type=SIZES, help="small (20 s) or full (3 min; the default).")
@json_option
def demo(folder: Path, seed: int | None, size: str | None, as_json: bool) -> None:
    """Run the whole digits study, offline, from its pipeline file to its report.

    The original, the candidates and the models are real; Flickr and the workers are simulated on
    this machine. Killed at any moment, the same command carries on. The photos that are dead or
    broken are planted, so they do not change the exit code.
    """
    from replicate.stages.publish_plan import plan

    study = _demo_study(folder, seed, size)
    # Nobody is paid in a sandbox, so the demo agrees to whatever the plan says.
    run_stages(study, STAGES, Options(), agree=lambda study: plan(study).total)
    summary = _summary(study)
    emit(summary, as_json, summary["report"] or "")


def _demo_study(folder: Path, seed: int | None, size: str | None) -> Study:
    from replicate.base.errors import UsageError

    if not (folder / PIPELINE_FILE).exists():
        return init_study(folder, "digits", size or "full", seed)
    study = the_study(str(folder))
    begun = "small" if study.pipeline.study.name.endswith("-small") else "full"
    if (seed is not None and seed != study.seed) or (size is not None and size != begun):
        raise UsageError(
            f"{folder} holds a {begun} demo with seed {study.seed}.",
            "Name another folder: replicate demo --dir OTHER",
        )
    if study.pipeline.sandbox is None:
        raise UsageError(f"{folder} holds a study that is no demo.", f"replicate -C {folder} run")
    say(f"Carrying on the demo in {folder}.")
    return study


@click.command(epilog=example("replicate run --until dedup", "replicate run --confirm-cost 90.00"))
@click.option("--from", "first", type=click.Choice(STAGES), help="Begin with this stage.")
@click.option("--until", "last", type=click.Choice(STAGES), help="End with this stage.")
@click.option("--confirm-cost", metavar="TOTAL", help="The total of `publish --plan`.")
@click.option("--exploratory", is_flag=True, help="Score sets that are not frozen.")
@retry_options
@study_option
@json_option
def run(
    study_dir: str | None,
    first: str | None,
    last: str | None,
    confirm_cost: str | None,
    exploratory: bool,
    retry: str | None,
    reason: str | None,
    as_json: bool,
) -> None:
    """Run the stages, in order; each does only what is missing."""
    money(confirm_cost)
    options = options_of(retry, reason, confirm_cost, exploratory=exploratory)
    study = the_study(study_dir)
    results = run_stages(study, stage_range(first, last), options, quiet=as_json)
    if as_json:
        emit({"stages": [result.as_json() for result in results]}, True, "")
    sys.exit(stage_exit_code(results))


@click.command(epilog=example("replicate status", "replicate status --json"))
@study_option
@json_option
def status(study_dir: str | None, as_json: bool) -> None:
    """Show how far the study is: each stage's counts, and the digests of what it made."""
    study = the_study(study_dir, reading=True)
    summary = _summary(study)
    emit(summary, as_json, _status_text(study, summary))


def _summary(study: Study) -> dict[str, Any]:
    from replicate.stages import ledger
    from replicate.stages.batches import batch_states
    from replicate.stages.crowds import workers_simulated
    from replicate.store import queries
    from replicate.store.progress import objections, stage_counts
    from replicate.store.rules import outcome

    report = study.report_dir / "report.html"
    with study.session() as session:
        paid = ledger.sums(session)
        return {
            "study": str(study.root),
            "report": str(report) if report.exists() else None,
            "sets": queries.set_digests(session),
            "votes_digest": queries.votes_digest(session),
            "predictions_digest": queries.predictions_digest(session),
            "simulated": workers_simulated(study),
            "stages": stage_counts(session, STAGES),
            "workers": outcome(session).as_json(),
            "objections": objections(session),
            "batches": [batch.as_json() for batch in batch_states(session)],
            "paid": {
                "assignments": paid.assignments,
                "reward": str(paid.paid),
                "fees": str(paid.fees),
                "due": paid.due,
            },
        }


def _status_text(study: Study, summary: dict[str, Any]) -> str:
    lines = [f"{study.pipeline.study.name}  {study.root}"]
    if study.pipeline.sandbox is not None:
        source = study.pipeline.gather.source == "flickr"
        simulated = ["Flickr"] * source + ["the workers"] * summary["simulated"]
        if simulated:
            verb = "is" if simulated == ["Flickr"] else "are"
            lines.append(f"{' and '.join(simulated)} {verb} simulated.".capitalize())
    for name, counts in summary["stages"].items():
        why = ", ".join(f"{reason} {n}" for reason, n in counts["failed"].items())
        failed = f", {sum(counts['failed'].values())} failed ({why})" if why else ""
        shown = f"{counts['done']} done{failed}" if counts["done"] or failed else "-"
        lines.append(f"  {name:8} {shown}")
        if name == "collect" and summary["workers"]["flagged"]:
            lines.append(f"  {'':8} {summary['workers']['sentence']}")
    found = summary["objections"]
    if found["takedowns"]:
        lines.append(f"  {found['takedowns']} takedowns: {found['images']} images are used no more")
    if found["reported"]:
        lines.append(
            f"  {found['reported']} images are reported as unsafe, {found['held']} are held until "
            "somebody looks: replicate takedown reported"
        )
    for batch in summary["batches"]:
        ended = f", {batch['expired']} ended early" if batch["expired"] else ""
        lines.append(
            f"  batch {batch['batch_id']}: {batch['published']} HITs, {batch['complete']} complete"
            f"{ended}; {batch['collected']} of {batch['assignments']} assignments; "
            f"${batch['total']} agreed ({batch['mode']})"
        )
    if summary["batches"]:
        paid = summary["paid"]
        lines.append(
            f"  paid {paid['assignments']} assignments: ${paid['reward']} to workers, "
            f"${paid['fees']} in fees" + (f"; {paid['due']} due" if paid["due"] else "")
        )
    for name, digest in summary["sets"].items():
        lines.append(f"  set {name:16} {digest[:16]}")
    lines.append(f"  report {summary['report'] or 'not yet written'}")
    return "\n".join(lines)
