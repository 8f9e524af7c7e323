"""Every command explains itself, and its examples run."""

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pytest
from support import tiny_models
from support.command import environment, replicate
from support.photo_folder import photo_folder
from support.photos import photo_tiles

from replicate.base.randomness import stream
from replicate.cli.main import COMMANDS, cli

# What an example may end with other than 0: nothing is left to publish in a finished study, so a
# cost that is confirmed there is not the cost.
OTHER_CODES = {
    "replicate publish --confirm-cost 12.50": {0, 4},
    # Keys are random: no database has that one.
    "replicate crowd keys revoke RPL0ABCDEF --db crowd.db": {2},
    # The study's votes are simulated; real ones are not mixed with them.
    "replicate annotate": {4},
    "replicate annotate --annotator ada --no-browser": {4},
    "replicate annotate --host 0.0.0.0 --annotators ada,bob": {4},
    # Whether it was entered, or reported, before depends on which examples ran.
    "replicate takedown remove 12345678@N00": {0, 2},
    "replicate takedown keep original:optdigits-3824 --note 'a street sign, nothing private'": {
        0,
        2,
    },
    # The study trains and scores its models itself: all are small ones.
    "replicate score worker": {2},
    # The planted faults are still there.
    "replicate gather --retry failed": {3},
}


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, click.Command]]:
    context = click.Context(group)
    found: list[tuple[str, click.Command]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            found += _commands(command, (*path, name))
        if not isinstance(command, click.Group) or command.invoke_without_command:
            found.append((" ".join((*path, name)), command))
    return found


ALL = _commands(cli)


def _examples(command: click.Command) -> list[str]:
    epilog = command.epilog or ""
    return [line.strip() for line in epilog.splitlines() if line.strip().startswith("replicate")]


EXAMPLES = [
    (name, example) for name, command in [("", cli), *ALL] for example in _examples(command)
]
SERVERS = ("review duplicates", "review set", "crowd serve", "sandbox flickr")


@pytest.mark.parametrize(("name", "command"), ALL, ids=[name for name, _ in ALL])
def test_help_says_what_it_does(name: str, command: click.Command) -> None:
    assert command.help and len(command.help.strip()) > 30
    assert _examples(command), "no example"
    for example in _examples(command):
        assert example.startswith(f"replicate {name}"), example
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name}: {parameter.opts} has no help"


def test_the_table_of_commands_is_true() -> None:
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None and command.name == name


def test_top_help_imports_little() -> None:
    code = (
        "import sys\nfrom replicate.cli.main import main\nsys.argv = ['replicate', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'pandas', 'matplotlib', 'scipy', 'sqlalchemy', 'boto3', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == "[]"
    assert "gather" in done.stdout


@pytest.mark.parametrize("name", ["status", "gather", "init", "doctor", "config", "sample"])
def test_help_does_not_import_torch(name: str) -> None:
    code = (
        "import sys\nfrom replicate.cli.main import main\n"
        f"sys.argv = ['replicate', '{name}', '-h']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == "False"


@pytest.fixture(scope="module")
def folder(small_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every example makes sense: a finished study, and others below it."""
    folder = tmp_path_factory.mktemp("examples") / "here"
    shutil.copytree(small_demo, folder)
    shutil.copytree(small_demo, folder / "replicate-demo")
    write_predictions(folder)
    write_judged(folder)
    photo_folder(folder / "pictures", 12)
    shutil.copy(Path(tiny_models.__file__), folder / "mymodels.py")
    for more in ("", "-bf16"):
        words = ("--models", "py:mymodels:build", "--data", "pictures", "--precision",
                 more[1:] or "fp32", "--output", f"predictions{more}",
                 "--queue", "queue")  # fmt: skip
        assert replicate("score", "folder", *words, cwd=folder).code == 0
    frames = sorted(p.relative_to(folder / "pictures") for p in folder.glob("pictures/*/*.jpg"))
    rows = [f"{item.as_posix()},{place // 6},{place}" for place, item in enumerate(frames)]
    (folder / "frames.csv").write_text("\n".join(["item,video,frame", *rows]))
    write_photos(folder)
    for name in ("original", "new"):
        np.save(folder / f"{name}.npy", stream(1, name).normal(size=(40, 3)))
    (folder / "new.txt").write_text("\n".join(str(i // 2) for i in range(40)))
    (folder / "counts.csv").write_text("image_id,class_id,shown,selected\na,1,10,9\nb,1,10,2\n")
    (folder / "old-votes.csv").write_text("image_id,class_id,worker,vote\na,1,w,yes\n")
    (folder / "batch.csv").write_text(
        "HITId,AssignmentId,WorkerId,AssignmentStatus,Input.image_1,Input.wnid,Answer.selected\n"
        "H,A,W,Approved,a.jpg,n01443537,image_1\n"
    )
    return folder


def write_photos(folder: Path) -> None:
    """What the examples of `duplicates` read: a folder train, and test, which leaks into it."""
    for place, tile in enumerate(photo_tiles()[:24]):
        name = "train" if place < 16 else "test"
        (folder / name).mkdir(exist_ok=True)
        tile.save(folder / name / f"{place}.jpg")
    photo_tiles()[3].resize((150, 150)).save(folder / "test" / "again.jpg")
    for name in ("train", "test"):
        rows = [f"{file.name},{n},{n % 3},1" for n, file in enumerate((folder / name).iterdir())]
        (folder / f"{name}-features.csv").write_text("\n".join(["item,a,b,c", *sorted(rows)]))


def write_judged(folder: Path) -> None:
    """What the example of `adjust` reads: votes on images, and how models did on them."""
    for name, easy in (("original", 7), ("new", 4)):
        rows = ["image_id,class_id,shown,selected,correct"]
        rows += [f"{name}{i},1,10,{min(10, i % 11 + easy)},{(i % 4) / 3}" for i in range(60)]
        (folder / f"{name}.csv").write_text("\n".join(rows))


def write_predictions(folder: Path) -> None:
    """What the examples of `analyze` read: a table of scores, two folders of predictions."""
    rows = ["model,test_set,correct,n"]
    labels = np.arange(200) % 10
    for name in ("v1", "v2"):
        (folder / "preds" / name).mkdir(parents=True)
        np.save(folder / f"{name}.npy", labels)
        for i, right in enumerate((120, 150, 170, 190)):
            predicted = np.where(np.arange(200) < right, labels, (labels + 1 + i) % 10)
            np.save(folder / "preds" / name / f"model{i}.npy", predicted)
            rows += [f"model{i},{'original' if name == 'v1' else name},{right},200"]
    (folder / "scores.csv").write_text("\n".join(rows))
    (folder / "published" / "pictures").mkdir(parents=True)
    for i in range(3):  # of the folder pictures: three images a class, class by class
        np.save(
            folder / "published" / "pictures" / f"model{i}.npy", (np.arange(12) + i % 2) // 3 % 4
        )
    teams = [f"{c},t{i},{0.9 - i / 100},{0.88 - i / 90}" for c in "ab" for i in range(12)]
    (folder / "leaderboards.csv").write_text("\n".join(["competition,team,public,private", *teams]))


@pytest.mark.parametrize(
    ("name", "example"),
    [pair for pair in EXAMPLES if pair[0] not in SERVERS],
    ids=[example for name, example in EXAMPLES if name not in SERVERS],
)
def test_examples_run(name: str, example: str, folder: Path) -> None:
    words = shlex.split(example)[1:]
    if name == "init":
        shutil.rmtree(folder / "my-study", ignore_errors=True)
    if "my-study" in example and name == "verify":
        shutil.rmtree(folder / "my-study", ignore_errors=True)
        shutil.copytree(folder / "replicate-demo", folder / "my-study")
    outcome = replicate(*words, cwd=folder)
    assert outcome.code in OTHER_CODES.get(example, {0}), (outcome.out, outcome.err)
    if "--json" in words:
        outcome.json()


@pytest.mark.parametrize(
    ("name", "example"), [pair for pair in EXAMPLES if pair[0] in SERVERS], ids=SERVERS
)
def test_examples_of_servers_run(name: str, example: str, folder: Path) -> None:
    shutil.rmtree(folder / "photos", ignore_errors=True)
    shutil.copytree(folder / "sandbox" / "photos", folder / "photos")
    ready = folder / "J"
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "replicate", *shlex.split(example)[1:]]
    process = subprocess.Popen(command, cwd=folder, env=environment(), stdin=subprocess.DEVNULL)
    try:
        for _ in range(200):
            if ready.exists():
                break
            time.sleep(0.05)
        found = json.loads(ready.read_text())
        assert re.match(r"http://127\.0\.0\.1:\d+", found["endpoint"])
        assert found["pid"] == process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert not ready.exists()
