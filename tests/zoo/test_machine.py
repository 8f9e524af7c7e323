"""How torch uses the machine: memory that a layer frees serves the next one."""

import ctypes
import platform
import resource

import pytest
import torch

from replicate.zoo import machine


def _faults(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.ones(10_000_000)  # 40 MB: above what glibc keeps by itself
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these settings")
def test_pages_are_cleared_once_and_given_back_at_the_end():
    machine.prepare_torch()
    assert torch.get_num_threads() == machine.usable_threads() >= 1
    _faults(20)  # until blocks have found their places
    assert _faults(10) < 5_000  # ten times 10,000 pages of 4 KiB otherwise
    machine.give_back_memory(1 << 40)
    assert _faults(1) < 5_000
    machine.give_back_memory(0)
    assert _faults(1) > 5_000


def test_other_c_libraries_are_left_alone(monkeypatch):
    class Musl:
        malloc = None

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Musl())
    machine._library.cache_clear()
    machine._keep_memory.cache_clear()
    try:
        assert machine._keep_memory() is False
        machine.give_back_memory()
    finally:
        machine._library.cache_clear()
        machine._keep_memory.cache_clear()
