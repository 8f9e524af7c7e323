"""The same images put through something first: what that alone does to accuracies.

Re-encoding by itself moves accuracies (on ImageNetV2 by 0.1 to 0.6 points), so a new set whose
images went through one's own hands is compared with an original that went through them, too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from replicate.base.digests import digest_value
from replicate.zoo.image_sets import Images


@dataclass(frozen=True)
class Changed:
    """A set whose images are changed as they are read.

    Attributes:
        base: The set as it is.
        label: What the change is called, fit for a file's name.
        steps: All that decides the change, by name and version.
        change: From a file's bytes to another's; it can be sent to other processes.
    """

    base: Images
    label: str
    steps: tuple[str, ...]
    change: Callable[[bytes], bytes]

    @property
    def name(self) -> str:
        """The set's name: the base's and the change's."""
        return f"{self.base.name}-{self.label}"

    @property
    def items(self) -> tuple[str, ...]:
        """The images' names, those of the base."""
        return self.base.items

    @property
    def class_ids(self) -> tuple[str, ...] | None:
        """Each image's class; None where it is not known."""
        return self.base.class_ids

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The classes that outputs must mean; None where they are not known."""
        return self.base.classes

    @cached_property
    def digest(self) -> str:
        """Of the base and the steps."""
        return digest_value([self.base.digest, list(self.steps)])

    def read(self, at: int) -> bytes:
        """One image's bytes, changed.

        Raises:
            OSError: The file is gone.
            ItemError: It cannot be decoded, or not be changed.
        """
        return self.change(self.base.read(at))
