"""Packages that only some models need: the extra ``zoo``."""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from replicate.base.errors import MissingError

PACKAGES = ("timm", "torchvision", "open_clip")


def missing() -> list[str]:
    """The packages of the extra that are not installed; nothing is imported."""
    return [package for package in PACKAGES if find_spec(package) is None]


def require(package: str) -> ModuleType:
    """Import a package of the extra ``zoo``.

    Raises:
        MissingError: It is not installed, or does not fit the installed torch.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise MissingError(
            f"This needs the package {package}, which is not installed or cannot be imported:"
            f" {error}.",
            "Install it: pip install 'replicate-testsets[zoo]'",
        ) from error
    except RuntimeError as error:  # torchvision with a torch that it was not built for.
        raise MissingError(
            f"The package {package} does not fit the installed torch: {error}.",
            "Install a pair that fits: pip install --upgrade 'replicate-testsets[zoo]'",
        ) from error
