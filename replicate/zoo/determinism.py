"""One thread, deterministic kernels, a seeded generator: the same bits every time."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reproducible(seed: int = 0) -> Iterator[None]:
    """Run torch on one thread with deterministic kernels, and leave its settings as they were.

    Args:
        seed: What torch's generator starts from, in [0, 2**63).
    """
    import torch

    settings = torch.utils.deterministic
    threads = torch.get_num_threads()
    # Not torch.use_deterministic_algorithms: the same switch, but it loads the compiler (2 s).
    mode = torch.get_deterministic_debug_mode()
    fill = settings.fill_uninitialized_memory  # type: ignore[attr-defined]
    onednn = bool(torch.backends.mkldnn.enabled)
    try:
        torch.set_num_threads(1)
        torch.set_deterministic_debug_mode("error")
        # No kernel used here reads memory that it has not written; filling it costs a tenth.
        settings.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        # oneDNN's dispatch costs more than it saves on images and layers this small.
        torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.backends.mkldnn.enabled = onednn  # type: ignore[assignment]
        settings.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
        torch.set_deterministic_debug_mode(mode)
        torch.set_num_threads(threads)
