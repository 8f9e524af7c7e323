"""What publish and collect share: the crowd's client, the terms of the work, workers' hashes."""

import secrets
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import func, select

from replicate.base.digests import sha256_bytes
from replicate.base.errors import GuardError
from replicate.base.files import write_bytes
from replicate.base.randomness import token
from replicate.crowd.exchange import FilesProvider
from replicate.crowd.mturk import MTurkProvider
from replicate.crowd.pages import PageText, check_template
from replicate.crowd.providers import HitTerms, Provider
from replicate.crowd.registry import ProviderSettings, factory
from replicate.crowd.templates import own_digest
from replicate.stages.common import Context
from replicate.stages.crowds import (
    builtin_mode,
    crowd_endpoint,
    crowd_kind,
    workers_simulated,
)
from replicate.store.tables import Assignment, Batch, Hit
from replicate.study import Study, StudyClass

DAY = 86_400
KEY_FILE = "worker-ids.key"


def open_provider(context: Context) -> Provider:
    """The client of the crowd that the study's pages go to; our own servers are started first.

    Raises:
        MissingError: No endpoint, no keys.
        UsageError: The endpoint is one of Amazon's, which closed.
        GuardError: The study holds HITs or votes of simulated workers and this crowd is real, or
            the other way round.
    """
    study = context.study
    kind = crowd_kind(study)
    if kind in ("crowd", "mturk", "sandbox", "annotate"):
        access = context.world.crowd()
        provider: Provider = MTurkProvider(
            access.endpoint,
            access.access_key_id,
            access.secret_access_key,
            name=kind,
            mode=builtin_mode(study),
            simulated=access.simulated,
        )
    elif kind == "files":
        folder = study.pipeline.label.folder
        provider = FilesProvider(
            study.root / folder, study.displays.location, worker_key(study), folder
        )
    else:
        provider = _brought(study, kind)
    refuse_mixture(study, provider.simulated, provider.mode)
    return provider


def mode_of(study: Study) -> str:
    """Where HITs go, and whether anybody real works there."""
    return builtin_mode(study) or _brought(study, crowd_kind(study)).mode


def _brought(study: Study, name: str) -> Provider:
    """A provider that another package brings."""
    settings = ProviderSettings(
        study=study.pipeline.study.name,
        endpoint=crowd_endpoint(study),
        folder=study.root / name,
        displays=study.displays.location,
        key=worker_key(study),
    )
    return factory(name)(settings)


def refuse_mixture(study: Study, simulated: bool, mode: str) -> None:
    """See that a study's votes are all of people, or all of simulated workers.

    Raises:
        GuardError: Its votes, or HITs that are published, are of the other kind.
    """
    sent = (
        select(func.count())
        .select_from(Hit)
        .join(Batch, Batch.batch_id == Hit.batch_id)
        .where(Batch.simulated.is_not(simulated), Hit.published_at.is_not(None))
    )
    done = select(func.count()).where(Assignment.simulated.is_not(simulated))
    with study.session() as session:
        pages = max(session.scalar(sent) or 0, session.scalar(done) or 0)
    if pages:
        held, now = ("real", "simulated") if simulated else ("simulated", "real")
        raise GuardError(
            f"This study holds {pages} pages by {held} workers; {now} ones would be mixed with "
            f"them ({mode}). Nothing was done.",
            "Begin another study for them: replicate init DIR --from TEMPLATE",
        )


def hit_terms(study: Study) -> HitTerms:
    """What workers are offered, from `[label]`."""
    label = study.pipeline.label
    judged, controls = label.candidates + label.originals, label.positive + label.negative
    return HitTerms(
        title="Select the images that show what is asked for",
        description=f"Look at {judged + controls + label.repeats} images and "
        "select those that show what the page asks for.",
        keywords="images, selecting, labelling",
        reward=label.reward,
        assignments=label.assignments,
        duration=label.seconds,
        auto_approval=round(label.auto_approval_days * DAY),
        lifetime=round(label.lifetime_days * DAY),
    )


def page_text(study: Study, wanted: StudyClass, expert_round: int = 1) -> PageText:
    """The words of the pages of one class; those of a second round name it.

    Raises:
        MissingError: `[label] template` names no template.
        UsageError: It is the study's own, and pages of it could not be answered.
    """
    label = study.pipeline.label
    values = {"{name}": quote(wanted.name), "{id}": quote(wanted.class_id)}
    text = PageText(
        class_id=wanted.class_id,
        class_name=wanted.name,
        question=label.question,
        synonyms=wanted.synonyms,
        gloss=wanted.gloss,
        links=tuple((text, _filled(link, values)) for text, link in sorted(label.links.items())),
        photographs_only=label.photographs_only,
        consent=label.consent,
        contact=label.contact,
        instructions=label.instructions,
        language=label.language,
        own=own_digest(label.template, label.language, study.root),
        round="" if expert_round == 1 else str(expert_round),
        max_per_worker=label.max_per_worker,
    )
    if text.own:  # the packed ones are known to be good
        check_template(text, label.template, study.root)
    return text


def _filled(link: str, values: dict[str, str]) -> str:
    for place, value in values.items():
        link = link.replace(place, value)
    return link


def worker_key(study: Study) -> bytes:
    """The secret of this study that workers' ids are hashed with.

    For simulated workers it follows from the seed; for people it is random and
    kept in the study folder, readable by its owner alone.
    """
    if workers_simulated(study):
        return f"simulated workers of seed {study.seed}".encode()
    return secret_key(study.root / KEY_FILE)


def secret_key(path: Path) -> bytes:
    """The secret in a file; made at random if it is not there, readable by its owner alone."""
    if not path.exists():
        write_bytes(path, secrets.token_bytes(32))
        path.chmod(0o600)
    return path.read_bytes()


def worker_hash(key: bytes, worker_id: str) -> str:
    """What a study stores instead of a worker's id."""
    return token(key, "worker", worker_id)


def question_key(text: PageText, template: str) -> str:
    """A digest of what a page says, for its content key."""
    return sha256_bytes(repr((template, sorted(text.__dict__.items()))).encode())
