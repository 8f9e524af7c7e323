"""People label a study on their own machine."""

import getpass
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.base.errors import UsageError
from replicate.base.files import write_json
from replicate.cli.options import example, json_option, study_option, the_study
from replicate.cli.output import emit, say, shown_progress

if TYPE_CHECKING:
    from replicate.crowdserver.standing import Standing
    from replicate.stages.annotate import Result
    from replicate.study import Study


@click.command(
    epilog=example(
        "replicate annotate",
        "replicate annotate --annotator ada --no-browser",
        "replicate annotate --host 0.0.0.0 --annotators ada,bob",
    )
)
@click.option("--annotator", metavar="NAME", help="Who labels here (default: the login name).")
@click.option("--annotators", metavar="NAME,NAME", help="Several people: a link is made for each.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on; 0.0.0.0 lets colleagues in your network in.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="The port (default: a free one)."
)
@click.option("--no-browser", is_flag=True, help="Print the link instead of opening it.")
@click.option(
    "--ready-file",
    metavar="J",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the links to this JSON file once they can be followed.",
)
@study_option
@json_option
def annotate(
    study_dir: str | None,
    annotator: str | None,
    annotators: str | None,
    host: str,
    port: int,
    no_browser: bool,
    ready_file: Path | None,
    as_json: bool,
) -> None:
    """Label a study on your own machine.

    Starts the study's own crowd server, publishes the pages that are not published (nobody is
    paid), opens them in the browser, and waits until you are done or press Ctrl-C; then it
    collects the votes and says what comes next. Run again, it carries on. Names are kept only as
    keyed hashes; give the same ones each time.

    With [label] mode = "expert" the images on which people disagree come back to all of them in
    a second round, and only those that everybody accepts stay.
    """
    people = people_named(annotator, annotators, "annotator")
    from replicate.stages.annotate import local_terms

    study = local_terms(the_study(study_dir), wanted=True)
    browser = not no_browser and len(people) == 1
    result = _label(study, people, (host, port), browser, ready_file)
    following = _following(study, people, result)
    value: dict[str, Any] = {
        "study": str(study.root),
        "pages": {"done": result.pages, "wanted": result.wanted},
        "annotators": {
            name: {"done": found.done, "left": found.left}
            for name, found in result.standings.items()
        },
        "failed": dict(sorted(result.tally.failed.items())),
        "next": following,
    }
    text = f"{result.pages} of {result.wanted} pages are done.\nNext: {following}"
    emit(value, as_json, text)
    sys.exit(3 if result.tally.failed else 0)


def people_named(one: str | None, several: str | None, word: str) -> list[str]:
    """Who is meant by ``--annotator`` or ``--annotators``, or by the like of other words.

    Raises:
        UsageError: Both are given, or somebody is named twice.
    """
    if one is not None and several is not None:
        raise UsageError(f"--{word} and --{word}s are two ways to say the same: give one.")
    given = one if several is None else several
    named = getpass.getuser() if given is None else given
    names = [name.strip() for name in named.split(",")]
    if not all(names) or len(set(names)) != len(names):
        raise UsageError(
            f"{given!r} does not name people, each once.", f"Write it like --{word}s ada,bob"
        )
    return names


def _label(
    study: "Study",
    people: Sequence[str],
    listen: tuple[str, int],
    browser: bool,
    ready_file: Path | None,
) -> "Result":
    from replicate.stages.annotate import begin, follow, gather_in
    from replicate.stages.common import Context
    from replicate.stages.world import World

    with study.lock(), shown_progress() as progress, World(study, progress, listen) as world:
        context = Context(study=study, world=world, progress=progress)
        links = begin(context, people, network_address(listen[0]))
        try:
            _tell(links, browser, ready_file)
            return follow(context, people, _show)
        except KeyboardInterrupt:
            say("Collecting what was sent in …")
            return gather_in(context, people)
        finally:
            if ready_file is not None:
                ready_file.unlink(missing_ok=True)
            study.close()


def network_address(host: str) -> str | None:
    """The name that colleagues reach this machine by; None where only this machine listens."""
    if host not in ("0.0.0.0", "::"):
        return None
    # Connecting a datagram socket sends nothing; it only chooses the interface.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


def _tell(links: Mapping[str, str], browser: bool, ready_file: Path | None) -> None:
    for name, link in links.items():
        say(f"{name}: {link}")
    if ready_file is not None:
        write_json(ready_file, {"links": dict(links)})
    if browser:
        import webbrowser

        webbrowser.open(next(iter(links.values())))
    say("Label in the browser; Ctrl-C here stops, and what was sent in is kept.")


def _show(found: "Mapping[str, Standing]") -> None:
    parts = [f"{name} {each.done} done, {each.left} left" for name, each in found.items()]
    say("  " + "; ".join(parts))


def _following(study: "Study", people: Sequence[str], result: "Result") -> str:
    again = f"replicate -C {study.root} annotate"
    if any(found.left for found in result.standings.values()):
        names = ",".join(people)
        return (
            f"{again} --annotators {names}" if len(people) > 1 else f"{again} --annotator {names}"
        )
    if not result.complete:
        number = study.pipeline.label.assignments
        return f"{again} --annotator SOMEBODY-ELSE  ([label] assignments = {number} people a page)"
    return f"replicate -C {study.root} run --from sample"
