"""Model cards: what a model is fed, what it is, and where it comes from."""

from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from replicate.zoo.engine import BATCH, PRECISION, PREPROCESSING
from replicate.zoo.names import FAMILIES, ModelSpec
from replicate.zoo.training import TRAINER_VERSION
from replicate.zoo.weights import Weights, parameter_count, weights_digest


@dataclass(frozen=True)
class ModelCard:
    """One model's card.

    Args:
        name: Its canonical name.
        family: What its family is, for people.
        preprocessing: Name and version of what turns pixels into its input.
        input_size: Height and width of its images, in pixels.
        n_classes: How many outputs.
        parameters: How many numbers it has.
        weights_digest: The digest of its weights.
        precision: The number format it is scored in.
        batch: How many images are scored at a time.
        training: Digest of the training data, images, epochs, seed, trainer version.
        libraries: Versions of what trained it.
    """

    name: str
    family: str
    preprocessing: str
    input_size: tuple[int, int]
    n_classes: int
    parameters: int
    weights_digest: str
    precision: str = PRECISION
    batch: int = BATCH
    training: dict[str, Any] = field(default_factory=dict)
    libraries: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The card as JSON values."""
        return {**asdict(self), "input_size": list(self.input_size)}

    @staticmethod
    def from_json(value: dict[str, Any]) -> "ModelCard":
        """The card that :meth:`as_json` wrote."""
        height, width = value["input_size"]
        return ModelCard(**{**value, "input_size": (int(height), int(width))})


def card_of(
    spec: ModelSpec, weights: Weights, training_data: str, n_images: int, seed: int
) -> ModelCard:
    """The card of a model that was trained here.

    Args:
        spec: The model.
        weights: Its weights.
        training_data: The digest of its training data.
        n_images: How many training images there were.
        seed: The study's seed.
    """
    size = weights["input_size"]
    return ModelCard(
        name=spec.name,
        family=FAMILIES[spec.family].title,
        preprocessing=PREPROCESSING,
        input_size=(int(size[0]), int(size[1])),
        n_classes=len(weights["head.bias"]),
        parameters=parameter_count(weights),
        weights_digest=weights_digest(weights),
        training={
            "data": training_data,
            "images": n_images if spec.images is None else min(spec.images, n_images),
            "epochs": spec.epochs,
            "seed": seed,
            "trainer": TRAINER_VERSION,
        },
        libraries=_versions("torch", "numpy"),
    )


def _versions(*packages: str) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # Run from a folder that was not installed.
            continue
    return found
