"""Rows of models of all schemes but ``small:``: integer counts, and where the files are."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from replicate.stages.score_options import Way
from replicate.stages.score_sets import SetToScore
from replicate.store.tables import Model, Prediction
from replicate.study import Study
from replicate.zoo.names import SCHEME
from replicate.zoo.prediction_files import PredictionFile
from replicate.zoo.published_scoring import WAY
from replicate.zoo.scheme_predictions import is_published
from replicate.zoo.scoring_job import Outcome


def enter(study: Study, names: Sequence[str]) -> None:
    """Enter models into the store that are not there: a report tells of those never scored.

    Of models that are named no more, what failed is forgotten; what was scored is kept.
    """
    with study.session() as session:
        known = set(session.scalars(select(Model.name)))
        ours = Model.name.startswith(f"{SCHEME}:")
        others = set(session.scalars(select(Model.name).where(~ours))) - set(names)
        for name in sorted(others):
            gone = Prediction.model == name
            session.execute(delete(Prediction).where(gone, Prediction.status == "failed"))
            session.execute(delete(Model).where(Model.name == name, Model.status != "ok"))
        session.add_all(
            Model(
                name=name,
                family=name.partition(":")[0],
                card={},
                weights_digest=None,
                path=None,
                status="waiting",
                reason=None,
            )
            for name in names
            if name not in known
        )


def store_model(session: Session, name: str, way: Way, found: PredictionFile) -> None:
    """The model's row; what other weights or another reading of its outputs said is forgotten."""
    header = found.header
    on = header["depends_on"]
    card = {
        **header["card"],
        "preprocessing": on["preprocessing"],
        "parameters": header["parameters"],
        "way": way.digest,
        "libraries": header["versions"],
    }
    old = session.get(Model, name)
    # Published predictions have no weights, and what was mended may differ from set to set.
    published = is_published(name)
    weights = None if published else on["weights"]
    card |= {"preprocessing": WAY} if published else {}
    same = (weights, card["preprocessing"], way.digest)
    if old is not None and old.status == "ok" and _ways_of(old) != same:
        session.execute(delete(Prediction).where(Prediction.model == name))
    session.merge(
        Model(
            name=name,
            family=header["family"],
            card=card,
            weights_digest=weights,
            path=None,
            status="ok",
            reason=None,
        )
    )
    session.flush()


def _ways_of(model: Model) -> tuple[str | None, str | None, str | None]:
    return model.weights_digest, model.card.get("preprocessing"), model.card.get("way")


def fail_model(session: Session, outcome: Outcome) -> None:
    """A model that was scored nowhere has failed; one that was stays what it is."""
    old = session.get(Model, outcome.model)
    if old is None or old.status == "ok":
        return
    old.status, old.reason, old.card = "failed", outcome.reason, {"message": outcome.message}


def store(session: Session, row: Prediction) -> None:
    """A row in place of what was said before of the same, in the same arithmetic."""
    session.execute(
        delete(Prediction).where(
            Prediction.model == row.model,
            Prediction.set_name == row.set_name,
            Prediction.set_digest == row.set_digest,
            Prediction.precision == row.precision,
        )
    )
    session.add(row)


def scored_row(target: SetToScore, name: str, found: PredictionFile, path: str) -> Prediction:
    """A row for predictions that are there; their file lies at that path below the study."""
    on = found.header["depends_on"]
    n, correct = found.counts
    return Prediction(
        model=name,
        set_name=target.name,
        set_digest=target.digest,
        preprocessing=on["preprocessing"],
        precision=on["precision"],
        weights_digest=None if is_published(name) else on["weights"],
        n=n,
        correct=correct,
        path=path,
        predictions_digest=found.digest,
        exploratory=not target.frozen,
        status="ok",
        reason=None,
    )


def failed_row(target: SetToScore, outcome: Outcome, precision: str) -> Prediction:
    """A row that says why there are no predictions."""
    return Prediction(
        model=outcome.model,
        set_name=target.name,
        set_digest=target.digest,
        preprocessing="",
        precision=precision,
        weights_digest=None,
        n=None,
        correct=None,
        path=None,
        predictions_digest=None,
        exploratory=not target.frozen,
        status="failed",
        reason=outcome.reason,
    )
