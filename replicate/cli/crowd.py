"""The self-hosted crowd server."""

from pathlib import Path

import click

from replicate.base.errors import UsageError
from replicate.cli.options import example, json_option
from replicate.cli.output import emit
from replicate.cli.servers import server_options

DB = click.option("--db", required=True, metavar="FILE", help="The server's SQLite file.")


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
    type=click.Path(path_type=Path, file_okay=False),
    help="The display copies that pages show: the study's folder `display`.",
)
@click.option("--sandbox", is_flag=True, help="Simulated: ids from --seed; controls for tests.")
@click.option("--seed", type=click.IntRange(min=0), help="With --sandbox: what ids are made from.")
@click.option(
    "--api-rate",
    type=click.FloatRange(min=1),
    default=500,
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
@server_options(default_port=8700)
def serve(
    db: str,
    images: Path | None,
    sandbox: bool,
    seed: int | None,
    api_rate: float,
    public_url: str | None,
    behind_proxy: str,
    rate: float | None,
    access_log: str | None,
    host: str,
    port: int,
    ready_file: Path | None,
    exit_with_stdin: bool,
) -> None:
    """Serve the requesters' API and page, and the workers' pages."""
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
