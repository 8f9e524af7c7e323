"""Exporting and checking 10,000 images: images a second, and memory that does not grow with them.

Each export is a process of its own, so that its peak of memory is its own.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

N = 10_000
FEW = 1_000
KIB = 40  # of each image; about a photo of 500 × 375 pixels at quality 75

# The set is made up: what is measured is reading, checking and writing bytes.
SCRIPT = """
import json, resource, sys, time
from pathlib import Path
from replicate.base.digests import sha256_bytes
from replicate.base.files import BlobStore
from replicate.reporting.export import write_export
from replicate.reporting.export_check import check
from replicate.reporting.export_data import (
    Export, ExportClass, ExportImage, Gathering, Licence, Table
)
from replicate.reporting.export_folder import Folder

kind, n, kib, store, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
blobs = BlobStore(Path(store))

seen = json.loads((Path(store) / "ids.json").read_text())[:n]
classes = tuple(ExportClass(f"n{i:08d}", i, f"class {i}", (), "", f"n{i:08d}") for i in range(1000))
images = tuple(
    ExportImage(i, digest, digest, classes[i % 1000].class_id, i % 1000, "", False, 9, 10)
    for i, digest in enumerate(seen)
)
gathering = Gathering("folder", False, "", (), (), "", "", n, {}, n, 0, {}, "", n)
export = Export(
    study="bench", name="set", revision=1, digest="d" * 64, manifest_digest="m" * 64,
    manifest="{}", frozen_at="2026-01-01", created_at="2026-01-01", strategy="uniform",
    parameters={}, match={}, original="the original", n_original=n, steps="identity@1",
    which_bytes="gathered", classes=classes, images=images, left_out={}, annotation=None,
    gathering=gathering, seed=1, versions={}, read=blobs.get,
    tables=lambda name: Table(name, "", (), []),
)
folder = Path(out)
folder.mkdir()
began = time.perf_counter()
write_export(Folder(folder), export, kind, 1000, lambda *_: None)
wrote = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
began = time.perf_counter()
found = check(folder)
assert found.faults == [] and found.images == n
checked = time.perf_counter() - began
print(json.dumps({"write": n / wrote, "check": n / checked, "mib": peak}))
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many different files."""
    import os

    from replicate.base.files import BlobStore

    folder = tmp_path_factory.mktemp("blobs")
    blobs = BlobStore(folder)
    head = b"\x89PNG\r\n\x1a\n"
    ids = [blobs.put(head + os.urandom(KIB << 10)) for _ in range(N)]
    (folder / "ids.json").write_text(json.dumps(ids))
    return folder


def measure(kind: str, n: int, store: Path, out: Path) -> dict[str, float]:
    words = [sys.executable, "-c", SCRIPT, kind, str(n), str(KIB), str(store), str(out)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("kind", ["imagefolder", "webdataset", "parquet", "huggingface"])
def test_exporting_streams(kind: str, store: Path, tmp_path: Path, benchmark) -> None:  # type: ignore[no-untyped-def]
    few = measure(kind, FEW, store, tmp_path / "few")
    many = benchmark.pedantic(
        measure, args=(kind, N, store, tmp_path / "many"), rounds=1, iterations=1
    )
    print(
        f"\n{kind:12} {N} images of {KIB} KiB: {many['write']:7.0f} images/s written, "
        f"{many['check']:7.0f} images/s checked; peak {many['mib']:.0f} MiB "
        f"({FEW} images: {few['mib']:.0f} MiB)"
    )
    # 9,000 further images are 350 MiB of bytes; what is kept of each is its row.
    assert many["mib"] - few["mib"] < 60
