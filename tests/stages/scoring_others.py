"""A digits study whose models are of other schemes, with the files that they name beside it."""

import hashlib

from safetensors.torch import save_file
from sqlalchemy import select
from stages.scoring import context_of, make_study
from support import digit_models
from support.digit_models import write_onnx

from replicate.stages.score import score
from replicate.store.queries import predictions_digest
from replicate.store.tables import Prediction
from replicate.study import Study, open_study

PY = "py:support.digit_models:"
GOOD, WORSE = f"{PY}nearest", f"{PY}nearest?blur=0.6"
FILE = "file:nearest.safetensors?arch=py:support.digit_models:nearest"
ONNX = "onnx:nearest.onnx"
SMALL = "small:linear-s0"


def others_study(root, models=(GOOD, WORSE), keys="") -> Study:
    """A study of digits with these models, and with a checkpoint and an ONNX file beside it."""
    make_study(root, models).close()
    write_onnx(root / "nearest.onnx", 0.3)
    save_file(digit_models.Nearest(0.5).state_dict(), root / "nearest.safetensors")
    return changed(root, keys)


def changed(root, keys, *replacements) -> Study:
    file = root / "pipeline.toml"
    text = file.read_text()
    for old, new in (("[report]", f"{keys}\n[report]"), *replacements):
        assert old in text
        text = text.replace(old, new, 1)
    file.write_text(text)
    return open_study(root)


def rows(study, table=Prediction):
    with study.session() as session:
        return list(session.scalars(select(table)))


def digest(study):
    with study.session() as session:
        return predictions_digest(session)


def tally_of(study, **options):
    return score(context_of(study, **options)).tally


def files(study):
    return {
        path.relative_to(study.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(study.predictions_dir.glob("arrow/*/*.arrow"))
    }
