"""Running stages: what `run`, `demo` and each stage's own command share."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

from replicate.cli.output import say, shown_progress, stage_line
from replicate.stages import load_stage
from replicate.stages.common import STAGES, Context, Options, StageResult
from replicate.stages.world import World
from replicate.study import Study


def run_stages(
    study: Study,
    names: Sequence[str],
    options: Options,
    *,
    quiet: bool = False,
    agree: Callable[[Study], Decimal] | None = None,
) -> list[StageResult]:
    """Run stages in order under the study's lock.

    Args:
        study: The open study.
        names: The stages.
        options: What the command line says.
        quiet: Say no line a stage (its command prints one itself).
        agree: Called before HITs are published: the cost that is agreed to.
    """
    from replicate.stages.annotate import local_terms

    study = local_terms(study)
    results = []
    with study.lock(), shown_progress() as progress, World(study, progress) as world:
        world.launch(names)
        for name in names:
            if name == "publish" and agree is not None:
                options = replace(options, confirm_cost=agree(study))
            context = Context(study=study, world=world, options=options, progress=progress)
            result = load_stage(name)(context)
            if not quiet:
                say(stage_line(result))
            for note in result.tally.notes:
                say(f"  {note}")
            results.append(result)
    study.close()
    return results


def stage_range(first: str | None, last: str | None) -> tuple[str, ...]:
    """The stages from `first` to `last`, both included."""
    start = STAGES.index(first) if first else 0
    end = STAGES.index(last) + 1 if last else len(STAGES)
    return STAGES[start:end]
