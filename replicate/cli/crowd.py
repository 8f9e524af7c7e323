"""The self-hosted crowd server."""

from pathlib import Path

import click

from replicate.base.errors import UsageError
from replicate.cli.options import example, json_option
from replicate.cli.output import emit, say
from replicate.cli.servers import server_options

DB = click.option(
    "--db",
    required=True,
    metavar="FILE",
    help="The server's SQLite file, or a URL: postgresql+psycopg://USER@HOST/NAME.",
)


@click.group()
def crowd() -> None:
    """Run the self-hosted crowd server: it speaks the MTurk Requester API."""


@crowd.command(
    epilog=example(
        "replicate crowd serve --db crowd.db --images my-study/display --port 0 --ready-file J"
    )
)
@DB
@click.option(
    "--images",
    metavar="DIR",
    help="The display copies that pages show: the study's folder `display`, or s3://… for it.",
)
@click.option("--sandbox", is_flag=True, help="Simulated: ids from --seed; controls for tests.")
@click.option("--seed", type=click.IntRange(min=0), help="With --sandbox: what ids are made from.")
@click.option(
    "--api-rate",
    type=click.FloatRange(min=1),
    default=1000,
    show_default=True,
    help="Calls a second that one key may make; boto3 waits and repeats those beyond it.",
)
@click.option("--public-url", metavar="URL", help="The address that workers see, behind a proxy.")
@click.option(
    "--behind-proxy",
    metavar="IP,…",
    default="127.0.0.1,::1",
    show_default=True,
    help="With --public-url: the proxy, whose X-Forwarded-For alone is believed.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0),
    metavar="N",
    help="Requests a second that one person may make; 0: any. [default: 20; in a sandbox any]",
)
@click.option(
    "--access-log",
    metavar="FILE",
    help="Write a line for each request, without ids, secrets or addresses; - for stderr.",
)
@click.option(
    "--max-per-worker",
    metavar="N",
    type=click.IntRange(min=1),
    help="How many HITs one worker may do on this server.",
)
@click.option(
    "--max-at-once",
    metavar="N",
    type=click.IntRange(min=1),
    help="How many HITs one worker may have in hand at a time.",
)
@server_options(default_port=8700)
def serve(
    db: str,
    images: str | None,
    sandbox: bool,
    seed: int | None,
    api_rate: float,
    public_url: str | None,
    behind_proxy: str,
    rate: float | None,
    access_log: str | None,
    max_per_worker: int | None,
    max_at_once: int | None,
    host: str,
    port: int,
    ready_file: Path | None,
    exit_with_stdin: bool,
) -> None:
    """Serve the requesters' API and page, and the workers' pages."""
    from replicate.crowdserver.allowance import Limits
    from replicate.crowdserver.serve import serve as serve_crowd

    if seed is not None and not sandbox:
        raise UsageError("--seed means something only with --sandbox.")
    serve_crowd(
        db,
        host=host,
        port=port,
        ready_file=ready_file,
        images=images,
        sandbox=sandbox,
        seed=seed,
        public_url=public_url,
        limits=Limits(max_per_worker, max_at_once),
        api_rate=api_rate,
        behind_proxy=behind_proxy,
        rate=rate,
        access_log=access_log,
        exit_with_stdin=exit_with_stdin,
        announce=lambda line: click.echo(line, err=True),
    )


@crowd.group()
def keys() -> None:
    """Requesters' keys. Each requester sees its own HITs only."""


@keys.command(epilog=example("replicate crowd keys add --db crowd.db --json"))
@DB
@click.option(
    "--requester",
    metavar="NAME",
    default="default",
    show_default=True,
    help="The account that the key acts for.",
)
@json_option
def add(db: str, requester: str, as_json: bool) -> None:
    """Make a requester's key. The secret is shown once."""
    from replicate.crowdserver.keys import add_key

    key, secret = add_key(db, requester)
    emit(
        {"access_key_id": key, "secret_access_key": secret},
        as_json,
        f"export REPLICATE_CROWD_ACCESS_KEY_ID={key}\n"
        f"export REPLICATE_CROWD_SECRET_ACCESS_KEY={secret}",
    )


@keys.command("list", epilog=example("replicate crowd keys list --db crowd.db"))
@DB
@json_option
def list_(db: str, as_json: bool) -> None:
    """List the keys, without their secrets."""
    from datetime import UTC, datetime

    from replicate.crowdserver.keys import list_keys

    def moment(seconds: float | None) -> str | None:
        if seconds is None:
            return None
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")

    rows = [
        {
            "access_key_id": key.access_key_id,
            "requester": key.requester,
            "created": moment(key.created),
            "revoked": moment(key.revoked),
        }
        for key in list_keys(db)
    ]
    lines = [
        f"{row['access_key_id']}  {row['requester']}  made {row['created']}"
        + (f"  revoked {row['revoked']}" if row["revoked"] else "")
        for row in rows
    ]
    emit({"keys": rows}, as_json, "\n".join(lines) or "There are no keys.")


@keys.command(epilog=example("replicate crowd keys revoke RPL0ABCDEF --db crowd.db"))
@DB
@click.argument("access_key_id", metavar="KEY")
@json_option
def revoke(db: str, access_key_id: str, as_json: bool) -> None:
    """Let a key work no more, from the next request on."""
    from replicate.crowdserver.keys import revoke_key

    revoke_key(db, access_key_id)
    emit({"revoked": access_key_id}, as_json, f"{access_key_id} works no more.")


@crowd.command(epilog=example("replicate crowd invite --db crowd.db --count 3"))
@DB
@click.option(
    "--count", type=click.IntRange(1, 10000), default=1, show_default=True, help="How many links."
)
@click.option("--url", metavar="URL", help="The server's address, as workers see it.")
@json_option
def invite(db: str, count: int, url: str | None, as_json: bool) -> None:
    """Make invitation links, one a worker."""
    from replicate.crowdserver.admin import invite as make_links

    links = make_links(db, count, base_url=url)
    emit({"links": links}, as_json, "\n".join(links))


@crowd.command(
    epilog=example(
        "replicate crowd recruit --db crowd.db --name prolific --completion-code C1A2B3 "
        "--hits-per-worker 5 --json",
        "replicate crowd recruit --db crowd.db --name sona --completion-code done "
        "--parameter survey_code=%SURVEY_CODE%",
    )
)
@DB
@click.option("--name", required=True, help="What to call the link; the same name gives the same.")
@click.option(
    "--completion-code", required=True, metavar="CODE", help="Shown to those who have done enough."
)
@click.option(
    "--completion-url",
    metavar="URL",
    help="Where they take it: {code} and any {PARAMETER} are filled in (by default Prolific's "
    "address, if PROLIFIC_PID is a parameter).",
)
@click.option(
    "--hits-per-worker",
    metavar="N",
    type=click.IntRange(min=1),
    help="How many HITs one participant may do.",
)
@click.option(
    "--hits-needed",
    metavar="N",
    type=click.IntRange(min=1),
    help="How many must be sent in to get the code (by default all that one may do, or 1).",
)
@click.option(
    "--parameter",
    "parameters",
    metavar="NAME[=PLACEHOLDER]",
    multiple=True,
    help="What the platform adds to the link, the participant's id first (by default Prolific's: "
    "PROLIFIC_PID, STUDY_ID, SESSION_ID). May be repeated.",
)
@click.option("--url", metavar="URL", help="The server's address, as workers see it.")
@json_option
def recruit(
    db: str,
    name: str,
    completion_code: str,
    completion_url: str | None,
    hits_per_worker: int | None,
    hits_needed: int | None,
    parameters: tuple[str, ...],
    url: str | None,
    as_json: bool,
) -> None:
    """Make the link that a recruiting platform sends its participants to.

    Participants are known by a keyed hash of the id that the platform adds to the link; the id is
    not kept. Who has sent in enough is shown the completion code and the way back.
    """
    from dataclasses import asdict

    from replicate.crowdserver.recruiting import recruit as make_link

    made = make_link(
        db,
        name,
        completion_code,
        completion_url=completion_url,
        hits_per_worker=hits_per_worker,
        hits_needed=hits_needed,
        parameters=parameters,
        base_url=url,
    )
    if made.link.startswith("/"):
        say("The server's address is not known yet: put it before the link, or give --url.")
    emit(asdict(made), as_json, made.link)
