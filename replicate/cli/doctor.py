"""Is everything here that a study needs?"""

import importlib.util
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from replicate.base.errors import MissingError, ReplicateError
from replicate.base.resources import data_dir
from replicate.cli.options import example, json_option, study_option
from replicate.cli.output import emit
from replicate.study import find_study, open_study

if TYPE_CHECKING:
    from replicate.study import Study

GIB = 1024**3


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: `ok`, `warning` or `missing`, and what to do."""

    name: str
    state: str
    found: str
    advice: str = ""


@click.command(epilog=example("replicate doctor", "replicate doctor --json"))
@study_option
@json_option
def doctor(study_dir: str | None, as_json: bool) -> None:
    """Check this installation, and the study if there is one.

    Exits with 2 if something that every study needs is missing.
    """
    checks = [*_installation(), *_services(), *_study(study_dir)]
    lines = [
        f"{check.state:8} {check.name:22} {check.found}"
        + (f"\n{'':9}{check.advice}" if check.advice else "")
        for check in checks
    ]
    emit({"checks": [asdict(check) for check in checks]}, as_json, "\n".join(lines))
    sys.exit(2 if any(check.state == "missing" for check in checks) else 0)


def _installation() -> list[Check]:
    checks = [Check("python", "ok", sys.version.split()[0])]
    foreign = _foreign_client()
    checks.append(
        Check(
            "name clash",
            "warning" if foreign else "ok",
            "the package 'replicate' of another vendor is installed" if foreign else "none",
            "pip uninstall replicate && pip install --force-reinstall replicate-testsets"
            if foreign
            else "",
        )
    )
    for folder in ("pipelines", "mturk_templates", "db"):
        try:
            checks.append(Check(f"data: {folder}", "ok", str(data_dir(folder))))
        except MissingError as error:
            checks.append(Check(f"data: {folder}", "missing", error.message, error.hint))
    checks.append(_package("torch", needed=True, install="pip install torch"))
    zoo = "pip install 'replicate-testsets[zoo]'"
    checks.extend(_package(name, False, zoo) for name in ("torchvision", "timm", "open_clip"))
    checks.append(_package("psycopg", False, "pip install 'replicate-testsets[postgres]'"))
    return checks


def _foreign_client() -> bool:
    from importlib.metadata import PackageNotFoundError, version

    try:
        version("replicate")
    except PackageNotFoundError:
        return False
    return True


def _package(name: str, needed: bool, install: str) -> Check:
    if importlib.util.find_spec(name) is not None:
        return Check(name, "ok", "installed")
    return Check(name, "missing" if needed else "warning", "not installed", install)


def _services() -> list[Check]:
    import botocore.session

    from replicate.crowd.mturk import INSTALL

    services = botocore.session.get_session().get_available_services()
    mturk = "mturk" in services
    checks = [
        Check(
            "MTurk protocol",
            "ok" if mturk else "missing",
            "botocore has its model" if mturk else "this botocore has dropped the mturk model",
            "" if mturk else INSTALL,
        )
    ]
    key = bool(os.environ.get("REPLICATE_FLICKR_KEY"))
    checks.append(
        Check(
            "Flickr key",
            "ok" if key else "warning",
            "set" if key else "REPLICATE_FLICKR_KEY is not set",
            "" if key else "Needed only to gather from the real Flickr.",
        )
    )
    free = shutil.disk_usage(Path.cwd()).free / GIB
    low = free < 1
    checks.append(
        Check(
            "disk",
            "warning" if low else "ok",
            f"{free:.1f} GiB free here",
            "Make room: images and predictions need it." if low else "",
        )
    )
    return checks


def _study(study_dir: str | None) -> list[Check]:
    try:
        study = open_study(Path(study_dir) if study_dir else find_study(Path.cwd()))
    except MissingError:
        if study_dir:
            raise
        return [Check("study", "ok", "none here", "Begin one: replicate init DIR --from digits")]
    except ReplicateError as error:
        return [Check("study", "missing", error.message, error.hint)]
    study.may_upgrade = False
    try:
        study.engine.dispose()
        found = [Check("study", "ok", f"{study.root}, {study.engine.dialect.name}")]
    except ReplicateError as error:
        found = [Check("study", "missing", error.message, error.hint)]
    return [*found, _crowd(study)]


def _crowd(study: "Study") -> Check:
    """Whether the crowd that the study's pages go to is ready, and which it is."""
    from replicate.stages.crowds import crowd_kind
    from replicate.stages.labelling import mode_of
    from replicate.stages.world import CROWD_KEY_ID, CROWD_SECRET

    try:
        mode = mode_of(study)
        if crowd_kind(study) in ("crowd", "mturk"):
            return _server(study, mode, (CROWD_KEY_ID, CROWD_SECRET))
        return Check("crowd", "ok", mode)
    except ReplicateError as error:
        return Check("crowd", "missing", error.message, error.hint)


def _server(study: "Study", mode: str, variables: tuple[str, str]) -> Check:
    """Whether a crowd server answers, and takes the keys."""
    from replicate.crowd.mturk import MTurkProvider
    from replicate.stages.crowds import checked_endpoint

    try:
        keys = [os.environ.get(name, "") for name in variables]
        MTurkProvider(checked_endpoint(study), *keys, attempts=1, timeout=5).check()
    except ReplicateError as error:
        return Check("crowd", "warning", error.message, error.hint)
    return Check("crowd", "ok", f"{mode}; it answers, and takes the keys")
