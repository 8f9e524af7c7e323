"""What `[score]` says of how models are opened and what their outputs mean, as the zoo takes it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from replicate.base.digests import digest_value
from replicate.base.errors import UsageError
from replicate.study import Study
from replicate.zoo.class_names import read_class_names
from replicate.zoo.output_maps import read_class_map
from replicate.zoo.published_scoring import WAY
from replicate.zoo.scheme_predictions import is_published
from replicate.zoo.schemes import ModelOptions, split
from replicate.zoo.scoring import Arithmetic

# Schemes whose models have their own classes; all others may be zero-shot.
_OWN_CLASSES = frozenset({"timm", "torchvision", "hf", "py", "file", "onnx", "predictions"})


@dataclass(frozen=True)
class Way:
    """Models that are opened alike and whose outputs are read alike.

    Attributes:
        models: Their full names.
        options: What they are opened with.
        class_map: Output → class of the study; empty for none.
        names: What else the study's classes are called, in small letters → the class.
        digest: Of all that decides what their outputs mean.
    """

    models: tuple[str, ...]
    options: ModelOptions
    class_map: Mapping[str, str]
    names: Mapping[str, str]
    digest: str


def arithmetic(study: Study) -> Arithmetic:
    """How models of all schemes but ``small:`` are run.

    Raises:
        UsageError: The device has no such number format.
    """
    config = study.pipeline.score
    return Arithmetic(
        config.device,
        config.precision,
        config.channels_last,
        config.compile,
        config.batch,
        config.logits,
    )


def kept_as(how: Arithmetic, name: str) -> str:
    """What a model's predictions have for their precision: it is not known of published ones."""
    return WAY if is_published(name) else how.kept_as


def ways(study: Study, names: Sequence[str]) -> list[Way]:
    """Models by how they are opened and read, in their order.

    Raises:
        MissingError: A file that the pipeline names is not there.
        UsageError: It is wrong, or a pattern of ``[score] class_map`` means no model.
    """
    maps = _class_maps(study, names)
    groups: dict[tuple[bool, str | None], list[str]] = {}
    for name in names:
        zero_shot = split(name)[0] not in _OWN_CLASSES
        groups.setdefault((zero_shot, maps.get(name)), []).append(name)
    found = []
    for (zero_shot, file), models in groups.items():
        class_map = read_class_map(study.root / file) if file is not None else {}
        options, names_of = _options(study, zero_shot), _other_names(study)
        digest = digest_value(
            [
                dict(class_map),
                study.pipeline.score.restrict,
                names_of,
                [item.class_id for item in study.classes],
                [list(options.class_ids), list(options.class_names), list(options.templates)],
            ]
        )
        found.append(Way(tuple(models), options, class_map, names_of, digest))
    return found


def _class_maps(study: Study, names: Sequence[str]) -> dict[str, str]:
    """By model, the file of its class map; models without one are not in it."""
    given = study.pipeline.score.class_map
    if given is None:
        return {}
    if isinstance(given, str):
        return dict.fromkeys(names, given)
    unused = [p for p in given if not any(fnmatchcase(name, p) for name in names)]
    if unused:
        raise UsageError(
            f"[score] class_map has {unused[0]!r}, which is none of the models.",
            "Write names or wildcards of [score] models.",
        )
    found: dict[str, str] = {}
    for name in names:
        for pattern, file in given.items():
            if fnmatchcase(name, pattern):
                found.setdefault(name, file)
    return found


def _options(study: Study, zero_shot: bool) -> ModelOptions:
    config = study.pipeline.score
    plain = ModelOptions(config.download, config.allow_pickle, root=study.root)
    if not zero_shot:
        return plain
    called = {item.class_id: item.name for item in study.classes} | _given_names(study)
    return ModelOptions(
        config.download,
        config.allow_pickle,
        tuple(called),
        tuple(called.values()),
        config.templates,
        study.root,
    )


def _given_names(study: Study) -> dict[str, str]:
    given = study.pipeline.score.class_names
    if given is None:
        return {}
    found = read_class_names(study.root / given) if isinstance(given, str) else dict(given)
    unknown = sorted(set(found) - {item.class_id for item in study.classes})
    if unknown:
        raise UsageError(
            f"[score] class_names names {unknown[0]!r}, which is no class of this study."
        )
    return found


def _other_names(study: Study) -> dict[str, str]:
    """Names and synonyms that one class alone has, in small letters → its id."""
    pairs = {
        (name.lower(), item.class_id)
        for item in study.classes
        for name in (item.name, *item.synonyms)
    }
    times = Counter(name for name, _ in pairs)
    return dict(sorted((name, class_id) for name, class_id in pairs if times[name] == 1))
