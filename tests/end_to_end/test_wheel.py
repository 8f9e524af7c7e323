"""A built wheel, installed far from the checkout, runs the main job."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

from support.paths import ROOT


def _build(target: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", target, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = target.glob("*.whl")
    return wheel


def _install(wheel: Path, folder: Path) -> Path:
    """A new environment that has the wheel, and borrows the other packages from this one."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    code = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    site = Path(subprocess.check_output([python, "-c", code], text=True).strip())
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    # Lines of a .pth file are added to the path, but .pth files in there are not read: so the
    # checkout, which this environment may have as an editable install, is not found.
    (site / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return python


def test_an_installed_wheel_runs_the_demo(tmp_path: Path) -> None:
    wheel = _build(tmp_path / "dist")
    python = _install(wheel, tmp_path / "environment")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("REPLICATE_", "PYTHON"))}
    far = tmp_path / "far"
    far.mkdir()
    code = "import replicate; print(replicate.__file__)"
    where = subprocess.check_output([python, "-c", code], cwd=far, env=clean, text=True)
    assert str(tmp_path) in where
    done = subprocess.run(
        [python, "-m", "replicate", "demo", "--size", "small"],
        cwd=far,
        env=clean,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_file()


def test_the_wheel_holds_the_data_folders(tmp_path: Path) -> None:
    with zipfile.ZipFile(_build(tmp_path)) as archive:
        names = archive.namelist()
    for wanted in (
        "replicate/_data/pipelines/digits/pipeline.toml",
        "replicate/_data/pipelines/imagenet_v2/wnids.txt",
        "replicate/_data/mturk_templates/select-images.html.j2",
        "replicate/_data/mturk_templates/shared/page.html.j2",
        "replicate/_data/mturk_templates/words.en.toml",
        "replicate/_data/db/study/env.py",
    ):
        assert wanted in names
    assert not [name for name in names if name.startswith("tests/")]
