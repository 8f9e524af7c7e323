"""What publish and collect share: the crowd's client, the terms of the work, workers' hashes."""

import os
import secrets
from pathlib import Path

from replicate.base.digests import sha256_bytes
from replicate.base.files import write_bytes
from replicate.base.randomness import token
from replicate.crowd.mturk import MTurkProvider
from replicate.crowd.pages import PageText
from replicate.crowd.providers import HitTerms, Provider
from replicate.stages.common import Context
from replicate.stages.world import CROWD_URL
from replicate.study import Study, StudyClass

DAY = 86_400
KEY_FILE = "worker-ids.key"


def open_provider(context: Context) -> Provider:
    """The crowd's client; in a sandbox its server is started first.

    Raises:
        MissingError: No endpoint, no keys.
    """
    access = context.world.crowd()
    return MTurkProvider(
        access.endpoint,
        access.access_key_id,
        access.secret_access_key,
        name=context.study.pipeline.label.provider,
    )


def mode_of(study: Study) -> str:
    """Where HITs go, and whether anybody real works there."""
    if study.pipeline.sandbox is not None:
        return "sandbox: simulated workers, nobody is paid"
    label = study.pipeline.label
    endpoint = os.environ.get(CROWD_URL) or label.endpoint or "no endpoint yet"
    return f"{label.provider} at {endpoint}: real workers"


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


def page_text(study: Study, wanted: StudyClass) -> PageText:
    """The words of the pages of one class."""
    label = study.pipeline.label
    return PageText(
        class_id=wanted.class_id,
        class_name=wanted.name,
        question=label.question,
        synonyms=wanted.synonyms,
        gloss=wanted.gloss,
        photographs_only=label.photographs_only,
    )


def worker_key(study: Study) -> bytes:
    """The secret of this study that workers' ids are hashed with.

    In a sandbox it follows from the seed, for nobody is behind those ids; else it is random and
    kept in the study folder, readable by its owner alone.
    """
    if study.pipeline.sandbox is not None:
        return f"simulated workers of seed {study.seed}".encode()
    path: Path = study.root / KEY_FILE
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
