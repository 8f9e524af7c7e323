import socket

import pytest

from replicate.base.errors import MissingError, UsageError
from replicate.crowd import registry
from replicate.crowd.cost import FeeTable, fee_table, free
from replicate.crowd.endpoints import CLOSED, closed_service
from replicate.crowd.mturk import MTurkProvider


@pytest.mark.parametrize("host", sorted(CLOSED))
@pytest.mark.parametrize("shape", ["{}", "https://{}", "https://{}:443/", "HTTPS://{}/x?y=1"])
def test_amazons_endpoints_are_known_and_closed(monkeypatch, host, shape):
    def no_network(*arguments, **keywords):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    with pytest.raises(UsageError, match=r"closed Amazon Mechanical Turk.* 30 September 2026") as e:
        MTurkProvider(shape.format(host), "key", "secret")
    assert "replicate crowd serve" in e.value.hint and "replicate annotate" in e.value.hint


@pytest.mark.parametrize(
    "endpoint",
    [
        None,
        "",
        "sandbox",
        "http://127.0.0.1:8700",
        "https://mturk-requester.us-east-1.amazonaws.com.example.org",
        "http://[broken",
    ],
)
def test_others_are_not(endpoint):
    assert closed_service(endpoint) is None


class _Point:
    def __init__(self, name, target):
        self.name, self.value, self._target = name, f"lab:{name}", target

    def load(self):
        if isinstance(self._target, Exception):
            raise self._target
        return self._target


def _brings(monkeypatch, **targets):
    points = [_Point(name, target) for name, target in targets.items()]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)


def test_another_package_brings_a_provider_and_its_fees(monkeypatch):
    def lab(settings):
        return settings

    lab.fees = FeeTable("lab", *[free("lab", "").rate + 1] * 2, 10, free("lab", "").rate, "a list")
    _brings(monkeypatch, lab=lab, other=lambda settings: None)
    assert registry.provider_names()[-2:] == ("lab", "other")
    assert registry.check_name("lab") == "lab"
    assert registry.factory("lab") is lab
    assert fee_table("lab").source == "a list"
    assert fee_table("other").rate == 0


def test_a_provider_that_is_not_there_or_does_not_load(monkeypatch):
    _brings(monkeypatch, lab=ImportError("no module lab"))
    with pytest.raises(MissingError, match=r"lab:lab.*no module lab"):
        registry.factory("lab")
    with pytest.raises(UsageError, match="No installed package"):
        registry.factory("prolific")
    with pytest.raises(ValueError, match="did you mean 'crowd'"):
        registry.check_name("crwod")
