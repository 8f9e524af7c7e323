"""What HITs require of workers: QualificationRequirements, checked, kept and compared."""

import json
import re
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from replicate.crowdserver.errors import bad_value

LOCALE = "00000000000000000071"
ADULT = "00000000000000000060"
APPROVED = "00000000000000000040"
PERCENT_APPROVED = "000000000000000000L0"

# What a worker does with a HIT, and the guards that stand before it.
GUARDS = {
    "discover": ("DiscoverPreviewAndAccept",),
    "preview": ("DiscoverPreviewAndAccept", "PreviewAndAccept"),
    "accept": ("DiscoverPreviewAndAccept", "PreviewAndAccept", "Accept"),
}
_NO_VALUES = ("Exists", "DoesNotExist")
_SETS = ("In", "NotIn")
_PLACES = ("EqualTo", "NotEqualTo", *_SETS, *_NO_VALUES)
_COUNTRY = re.compile(r"[A-Z]{2}\Z")
_SUBDIVISION = re.compile(r"[A-Z0-9]{2}\Z")


@dataclass(frozen=True)
class Requirement:
    """One requirement.

    Attributes:
        type_id: The qualification type.
        comparator: The protocol's comparator.
        integers: The values to compare with.
        locales: The places to compare with: ``US`` or ``US-CA``.
        guarded: The protocol's ActionsGuarded.
    """

    type_id: str
    comparator: str
    integers: tuple[int, ...] = ()
    locales: tuple[str, ...] = ()
    guarded: str = "Accept"

    def document(self) -> dict[str, Any]:
        """The requirement as the protocol describes it."""
        found: dict[str, Any] = {
            "QualificationTypeId": self.type_id,
            "Comparator": self.comparator,
            "RequiredToPreview": self.guarded != "Accept",
            "ActionsGuarded": self.guarded,
        }
        if self.integers:
            found["IntegerValues"] = list(self.integers)
        if self.locales:
            found["LocaleValues"] = [locale_document(place) for place in self.locales]
        return found


@dataclass(frozen=True)
class Held:
    """What a worker holds of a qualification type.

    Attributes:
        value: Its value; None: it has none.
        locale: Its place; None: it has none.
    """

    value: int | None = None
    locale: str | None = None


def read_requirements(params: dict[str, Any]) -> list[Requirement]:
    """The requirements that a request gives.

    Raises:
        ApiError: One breaks a rule of the protocol.
    """
    return [_read(given) for given in params.get("QualificationRequirements") or []]


def _read(given: dict[str, Any]) -> Requirement:
    found = Requirement(
        given["QualificationTypeId"],
        given["Comparator"],
        tuple(given.get("IntegerValues") or ()),
        tuple(_place(locale) for locale in given.get("LocaleValues") or ()),
        _guarded(given),
    )
    name = f"The requirement on {found.type_id}"
    values, most = (found.locales, 30) if found.type_id == LOCALE else (found.integers, 15)
    if found.type_id == LOCALE and (found.integers or found.comparator not in _PLACES):
        raise bad_value(f"{name} compares places: only {', '.join(_PLACES)}, with LocaleValues.")
    if found.type_id != LOCALE and found.locales:
        raise bad_value(f"{name} has LocaleValues, which only {LOCALE} can have.")
    if found.comparator in _NO_VALUES and (found.integers or found.locales):
        raise bad_value(f"{name} has values, which {found.comparator} does not compare with.")
    if found.comparator in _SETS and not 1 <= len(values) <= most:
        raise bad_value(f"{name} has {len(values)} values, not 1 to {most}.")
    if found.comparator not in (*_SETS, *_NO_VALUES) and len(values) != 1:
        raise bad_value(f"{name} has {len(values)} values; {found.comparator} needs one.")
    return found


def _guarded(given: dict[str, Any]) -> str:
    guarded, preview = given.get("ActionsGuarded"), given.get("RequiredToPreview")
    if guarded is not None and preview:
        raise bad_value("Give ActionsGuarded or RequiredToPreview, not both.")
    return guarded or ("PreviewAndAccept" if preview else "Accept")


def _place(locale: dict[str, Any]) -> str:
    country, subdivision = locale["Country"], locale.get("Subdivision")
    if not _COUNTRY.match(country):
        raise bad_value(f"{country!r} is not a country's code of ISO 3166, such as US.")
    if subdivision is None:
        return str(country)
    if not _SUBDIVISION.match(subdivision):
        raise bad_value(f"{subdivision!r} is not a subdivision's code of ISO 3166-2, such as CA.")
    return f"{country}-{subdivision}"


def locale_document(place: str) -> dict[str, str]:
    """A place as the protocol describes it.

    >>> locale_document("US-CA")
    {'Country': 'US', 'Subdivision': 'CA'}
    """
    country, _, subdivision = place.partition("-")
    return {"Country": country, **({"Subdivision": subdivision} if subdivision else {})}


def stored(requirements: list[Requirement]) -> str:
    """Requirements as they are kept: the same ones give the same text."""
    return json.dumps([asdict(one) for one in requirements], separators=(",", ":"))


@lru_cache(maxsize=4096)
def loaded(text: str) -> tuple[Requirement, ...]:
    """The requirements that were kept."""
    return tuple(
        Requirement(
            one["type_id"],
            one["comparator"],
            tuple(one["integers"]),
            tuple(one["locales"]),
            one["guarded"],
        )
        for one in json.loads(text)
    )


def meets(requirement: Requirement, held: Held | None) -> bool:
    """Whether a worker meets a requirement.

    Args:
        requirement: The requirement.
        held: What the worker holds of its type; None: nothing, which meets DoesNotExist alone.

    >>> meets(Requirement("Q", "GreaterThan", (80,)), Held(81))
    True
    >>> meets(Requirement("Q", "NotIn", (1, 2)), None)
    False
    >>> meets(Requirement(LOCALE, "In", (), ("US", "CA-QC")), Held(locale="US-NY"))
    True
    """
    comparator = requirement.comparator
    if comparator in _NO_VALUES or held is None:
        return (held is not None) == (comparator == "Exists") and comparator in _NO_VALUES
    if requirement.type_id == LOCALE:
        place = held.locale or ""
        inside = any(place == one or place.startswith(f"{one}-") for one in requirement.locales)
        return bool(place) and inside == (comparator in ("EqualTo", "In"))
    value = held.value
    return value is not None and _compares(comparator, value, requirement.integers)


def _compares(comparator: str, value: int, wanted: tuple[int, ...]) -> bool:
    return {
        "LessThan": value < wanted[0],
        "LessThanOrEqualTo": value <= wanted[0],
        "GreaterThan": value > wanted[0],
        "GreaterThanOrEqualTo": value >= wanted[0],
        "EqualTo": value == wanted[0],
        "NotEqualTo": value != wanted[0],
        "In": value in wanted,
        "NotIn": value not in wanted,
    }[comparator]
