"""``onnx:PATH``: an ONNX file, with a card beside it that says what it is fed.

The card is a JSON file of the same name (``model.onnx`` and ``model.json``)::

    {"size": [224, 224], "resize": 256, "mode": "short", "filter": "bicubic",
     "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "classes": "imagenet"}

``mode`` is as in `replicate.zoo.views.View`; ``classes`` is a list of class ids, ``"imagenet"``, or
left out. The graph has one input (n, 3, height, width), whose n is free, and its first output is
the scores.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from replicate.base.errors import ItemError, MissingError, UsageError
from replicate.zoo.image_classes import imagenet_wnids
from replicate.zoo.loaded import Description, LoadedModel, loaded
from replicate.zoo.query import split_query, the_file
from replicate.zoo.schemes import ModelOptions
from replicate.zoo.views import View


class OnnxScheme:
    """Graphs that onnxruntime runs, on the CPU."""

    def names(self) -> Sequence[str]:
        """None: files cannot be listed."""
        return ()

    def describe(self, rest: str, options: ModelOptions) -> Description:
        """From the card; see `Scheme.describe`."""
        path = the_file(options.root, split_query(rest, ())[0], "ONNX file")
        return describe_card(f"onnx:{rest}", path, path.with_suffix(".json"))

    def open(self, rest: str, options: ModelOptions) -> LoadedModel:
        """See `Scheme.open`."""
        description = self.describe(rest, options)
        path = the_file(options.root, split_query(rest, ())[0], "ONNX file")
        return loaded(description, _module(path), half=False)


def describe_card(name: str, path: Path, card: Path) -> Description:
    """A description from a card.

    Args:
        name: The model's full name.
        path: Its weights.
        card: Its card.

    Raises:
        MissingError: There is no card.
        UsageError: The card is wrong.
    """
    if not card.is_file():
        raise MissingError(
            f"{name} has no card at {card}.",
            'Write one: {"size": [224, 224], "resize": 256, "mode": "short", "filter": "bicubic", '
            '"mean": [...], "std": [...], "classes": "imagenet"}',
        )
    try:
        value = json.loads(card.read_text(encoding="utf-8"))
        size, resize = value["size"], value["resize"]
        pair = (resize, resize) if isinstance(resize, int) else (int(resize[0]), int(resize[1]))
        view = View((int(size[0]), int(size[1])), value.get("mode", "short"), pair, value["filter"])
        (r, g, b), (p, q, s) = ([float(x) for x in value[key]] for key in ("mean", "std"))
        view.resized(10, 10)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise UsageError(f"The card {card} is wrong: {error}.", _CARD) from error
    classes = value.get("classes")
    outputs = imagenet_wnids() if classes == "imagenet" else None
    if isinstance(classes, list):
        outputs = tuple(map(str, classes))
    return Description(
        name, str(value.get("family", "onnx")), view, (r, g, b), (p, q, s), outputs,
        len(outputs or ()), str(path), exact=bool(value.get("exact", True)),
        card={key: value[key] for key in ("license", "source") if key in value},
    )  # fmt: skip


_CARD = "See `replicate models show --help` and docs/zoo.md for what a card holds."


def _module(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingError(
            "ONNX files need onnxruntime, which is not installed.",
            "Install it: pip install 'replicate-testsets[onnx]'",
        ) from error
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime has its own tree of errors, without a common name
        raise ItemError("bad_weights", f"{path.name} cannot be read: {error}") from error
    if len(session.get_inputs()) != 1:
        raise ItemError("bad_model", f"{path.name} has {len(session.get_inputs())} inputs, not one")

    class Graph(torch.nn.Module):
        """A session as a module."""

        content_digest = hashlib.sha256(path.read_bytes()).hexdigest()

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            """Scores of a batch."""
            feed = {session.get_inputs()[0].name: batch.numpy()}
            first = session.run([session.get_outputs()[0].name], feed)[0]
            return torch.from_numpy(first)

    return Graph()


scheme = OnnxScheme()
