"""The classes of ImageNet's 1,000 outputs: their wnids, in the order of model outputs."""

import functools

from replicate.base.resources import data_dir


@functools.cache
def imagenet_wnids() -> tuple[str, ...]:
    """The 1,000 wnids of ILSVRC 2012 in their order, which is that of sorted wnids.

    >>> wnids = imagenet_wnids()
    >>> len(wnids), wnids[1], list(wnids) == sorted(wnids)
    (1000, 'n01443537', True)
    """
    text = (data_dir("pipelines") / "imagenet_v2" / "wnids.txt").read_text(encoding="utf-8")
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    return tuple(line for line in lines if line)
