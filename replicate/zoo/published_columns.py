"""Which columns of a published table hold predictions, labels, items: chosen by their names.

A file often holds more than predictions: labels, confidences, paths. A column that says what
the label is must never be read as what was predicted.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_CLASS = r"(?:class|classes|label|labels|id|ids|idx|index|wnid|wnids|name|category|answer|y|1)"
_PREDICTED = re.compile(
    rf"(?:model_|y_)?(?:predictions?|predicted|preds?|outputs?|y_?hat|argmax|top_?1)(?:_{_CLASS})*"
    rf"|{_CLASS}_(?:predictions?|predicted|preds?|hat)"
)
_LABELLED = re.compile(
    rf"(?:y_)?(?:labels?|targets?|truth|ground_?truth|gt|gold|actual)(?:_{_CLASS})*"
    rf"|y_true|{_CLASS}_true|(?:true|target|actual|gt|correct)_{_CLASS}|y"
)
_RIGHT = re.compile(r"(?:is_)?(?:correct|right|hits?)(?:ness)?|is_top_?1")
_CLASSES = re.compile(r"class|classes|class_ids?|class_idx|wnids?|answers?|category")
_ITEMS = re.compile(
    r"|unnamed:?_0|key|uid|(?:item|image|img|sample|example|file|question)?_?"
    r"(?:ids?|idx|index|indices|names?|paths?|file_?names?|files?|images?|items?)|item|image|images"
)
_ASIDE = re.compile(
    r"(?:.*_)?(?:conf|confidences?|prob|probability|certainty|score|loss|logit|margin|entropy|time|"
    r"seconds|rank|epoch|split|set|dataset|model)"
)
_SCORES = re.compile(
    r"(?:class_)?(?:logits?|probs?|probabilit(?:y|ies)|softmax|scores?|confidences?)"
    r"(?:_(?:all|full|matrix))?"
)
_NUMBERED = re.compile(r"(?:top|pred|preds|prediction|rank|class|label)_?(\d+)(?:_(?:class|id))?")


def plain(name: object) -> str:
    """A column's name in small letters, with _ for what separates words."""
    return re.sub(r"[\s\-.]+", "_", str(name).strip().lower())


def is_item(name: str) -> bool:
    """Whether a column names the items.

    >>> is_item("image_id"), is_item("path"), is_item("prediction")
    (True, True, False)
    """
    return _ITEMS.fullmatch(plain(name)) is not None


def is_label(name: str) -> bool:
    """Whether a column says the right class.

    >>> is_label("y_true"), is_label("Label"), is_label("predicted_label")
    (True, True, False)
    """
    return _LABELLED.fullmatch(plain(name)) is not None


def is_prediction(name: str) -> bool:
    """Whether a column says the predicted class.

    >>> [is_prediction(x) for x in ("y_pred", "predicted_class", "top-1", "label")]
    [True, True, True, False]
    """
    return _PREDICTED.fullmatch(plain(name)) is not None


def says_right(name: str) -> bool:
    """Whether a file's or an array's name says that its values mean right and wrong.

    >>> says_right("vgg_correct"), says_right("resnet-hits"), says_right("vgg_incorrect")
    (True, True, False)
    """
    return any(_RIGHT.fullmatch(word) for word in plain(name).split("_"))


def is_scores(name: str) -> bool:
    """Whether a list holds scores of classes."""
    return _SCORES.fullmatch(plain(name)) is not None


def is_known(name: str) -> bool:
    """Whether a name can only be a column's: a first line that has it is a header."""
    return bool(plain(name)) and (
        is_item(name) or is_label(name) or is_prediction(name)
        or _CLASSES.fullmatch(plain(name)) is not None
    )  # fmt: skip


@dataclass(frozen=True)
class Chosen:
    """What was chosen.

    Attributes:
        columns: The columns of values, in order.
        item: The column that names the items; None without one.
        right: Whether the values say right or wrong instead of a class.
        scores: Whether each column may be the score of a class, by its name.
    """

    columns: tuple[int, ...]
    item: int | None
    right: bool = False
    scores: bool = False


def choose(names: Sequence[str], labels: bool) -> Chosen:
    """Choose the columns to read.

    Args:
        names: The header.
        labels: Whether labels are wanted; else predictions.

    Raises:
        ValueError: There is none, or several might be meant.

    >>> choose(["id", "label", "predicted_class"], labels=False).columns
    (2,)
    >>> choose(["id", "label", "predicted_class"], labels=True).columns
    (1,)
    >>> choose(["id", "top2", "top1", "conf"], labels=False).columns
    (2, 1)
    """
    words = [plain(name) for name in names]
    item = next((i for i, word in enumerate(words) if _ITEMS.fullmatch(word)), None)
    left = [i for i in range(len(words)) if i != item]
    kinds = {
        "predicted": [i for i in left if _PREDICTED.fullmatch(words[i])],
        "labelled": [i for i in left if _LABELLED.fullmatch(words[i])],
        "classes": [i for i in left if _CLASSES.fullmatch(words[i])],
    }
    if labels:
        for kind in ("labelled", "classes"):
            if kinds[kind]:
                return Chosen((kinds[kind][0],), item)
        rest = [i for i in left if i not in kinds["predicted"] and not _ITEMS.fullmatch(words[i])]
        if len(rest or left) == 1:
            return Chosen(((rest or left)[0],), item)
        raise ValueError(f"no column of labels in {', '.join(names)}")
    numbered = [i for i in left if _NUMBERED.fullmatch(words[i])]
    if len(numbered) > 1:
        order = {i: int(_NUMBERED.fullmatch(words[i])[1]) for i in numbered}  # type: ignore[index]
        whose = "class" if words[numbered[0]].startswith(("class", "label")) else "rank"
        return Chosen(tuple(sorted(numbered, key=order.__getitem__)), item, scores=whose == "class")
    if kinds["predicted"]:
        return Chosen((kinds["predicted"][0],), item)
    if kinds["classes"]:
        return Chosen((kinds["classes"][0],), item)
    return _of_the_rest(names, words, left, item, kinds["labelled"])


def _of_the_rest(
    names: Sequence[str], words: Sequence[str], left: list[int], item: int | None,
    labelled: list[int],
) -> Chosen:  # fmt: skip
    right = [i for i in left if _RIGHT.fullmatch(words[i])]
    rest = [
        i for i in left if i not in labelled and i not in right and not _ITEMS.fullmatch(words[i])
    ]
    certain = [i for i in rest if not _ASIDE.fullmatch(words[i])]
    if len(certain) == 1:
        return Chosen((certain[0],), item)
    if len(rest) > 1:
        return Chosen(tuple(certain or rest), item, scores=True)
    if right:
        return Chosen((right[0],), item, right=True)
    if rest:
        return Chosen((rest[0],), item)
    if len(labelled) == 1:  # a submission: item and label
        return Chosen((labelled[0],), item)
    raise ValueError(f"no column of predictions in {', '.join(names)}")


def choose_list(lists: Mapping[str, Any], labels: bool) -> tuple[str, str | None]:
    """The list (or array) of values among several by name, and the one that names the items.

    Args:
        lists: Each one's name and values.
        labels: Whether labels are wanted; else predictions.

    Raises:
        ValueError: There is none, or several might be meant.

    >>> choose_list({"logits": [], "labels": [], "paths": []}, labels=False)
    ('logits', 'paths')
    """
    names = list(lists)
    words = {name: plain(name) for name in names}
    item = next((n for n in names if words[n] and _ITEMS.fullmatch(words[n])), None)
    item = item if len(names) > 1 else None
    left = [name for name in names if name != item]
    # A list of the classes' names is shorter than one of items.
    most = max((len(lists[name]) for name in left), default=0)
    ways = (_LABELLED, _CLASSES) if labels else (_PREDICTED, _CLASSES, _SCORES)
    for way in ways:
        known = [n for n in left if way.fullmatch(words[n]) and len(lists[n]) == most]
        if known:
            return known[0], item
    other = _PREDICTED if labels else _LABELLED
    rest = [name for name in left if not other.fullmatch(words[name])] or left
    if len(rest) != 1:
        raise ValueError(f"which of its arrays? ({', '.join(names)})")
    return rest[0], item


def ids_of(names: Sequence[str]) -> tuple[str, ...]:
    """The classes that score columns are named after: without what all names begin with.

    >>> ids_of(["prob_0", "prob_10", "prob_2"]), ids_of(["cat", "car"])
    (('0', '10', '2'), ('cat', 'car'))
    """
    begun = [re.match(r"(.*?[_\-. ])?(.*)$", name.strip()) for name in names]
    heads = {found[1] for found in begun if found}
    if len(names) > 1 and len(heads) == 1 and None not in heads:
        return tuple(found[2] for found in begun if found)
    digits = [re.fullmatch(r"([a-zA-Z]+)(\d+)", name.strip()) for name in names]
    if all(digits) and len({found[1] for found in digits if found}) == 1:
        return tuple(found[2] for found in digits if found)
    return tuple(name.strip() for name in names)
