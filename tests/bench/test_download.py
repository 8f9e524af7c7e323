"""Downloads on loopback beside bare urllib3, and the memory of gathering (--benchmark-only)."""

import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import urllib3
from PIL import Image

from replicate.base.digests import sha256_bytes
from replicate.base.executors import run
from replicate.base.files import BlobStore
from replicate.base.resources import usable_cores
from replicate.sources.display import display_copy
from replicate.sources.download import Download, Downloader, Limits
from replicate.sources.keep import Keeper

CONNECTIONS = 8
FETCHED, PROCESSED, ROUNDS = 4000, 400, 3

SERVER = """
import asyncio, pathlib, sys
BODIES = [path.read_bytes() for path in sorted(pathlib.Path(sys.argv[1]).iterdir())]
ANSWERS = [b"HTTP/1.1 200 OK\\r\\ncontent-type: image/jpeg\\r\\ncontent-length: %d\\r\\n\\r\\n%s"
           % (len(body), body) for body in BODIES]
class One(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.seen = transport, b""
    def data_received(self, data):
        self.seen += data
        while b"\\r\\n\\r\\n" in self.seen:
            head, _, self.seen = self.seen.partition(b"\\r\\n\\r\\n")
            number = int(head.split(b" ", 2)[1].rpartition(b"/")[2])
            body = ANSWERS[number % len(ANSWERS)]
            if len(sys.argv) > 2:  # every picture another: a comment after its first bytes
                body = BODIES[number % len(BODIES)]
                body = body[:2] + b"\\xff\\xfe\\0\\x0a%08d" % number + body[2:]
                body = (b"HTTP/1.1 200 OK\\r\\ncontent-type: image/jpeg\\r\\n"
                        b"content-length: %d\\r\\n\\r\\n%s" % (len(body), body))
            self.transport.write(body)
async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(One, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


@contextmanager
def server(folder: Path, *more: str) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(folder), *more], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def photos(folder: Path, size: tuple[int, int], count: int) -> Path:
    """JPEGs that are smooth and noisy as photos are."""
    folder.mkdir()
    generator = np.random.default_rng(5)
    for number in range(count):
        coarse = generator.integers(0, 256, (9, 12, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
        noise = generator.integers(-20, 20, (size[1], size[0], 3))
        pixels = np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03d}.jpg", quality=75)
    return folder


def bare(base: str, count: int, each: Callable[[bytes], object]) -> None:
    """urllib3 in as many threads, and nothing else."""
    pool = urllib3.PoolManager(maxsize=CONNECTIONS)
    numbers, lock = iter(range(count)), threading.Lock()

    def work() -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            each(pool.request("GET", f"{base}/{number}").data)

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pool.clear()


def ours(base: str, count: int):
    with Downloader[int](Limits(connections=CONNECTIONS, per_host=CONNECTIONS)) as downloader:
        for outcome in downloader.fetch(Download(n, f"{base}/{n}") for n in range(count)):
            assert outcome.data is not None
            yield outcome


def seconds(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def table(title: str, rows: list[tuple[str, float, float]]) -> None:
    print(f"\n{title} (load {os.getloadavg()[0]:.1f} on {usable_cores()} cores)")
    for name, rate, share in rows:
        print(f"  {name:44} {rate:8,.0f} images/s {share:7.0%}")


def test_fetching_alone(benchmark, tmp_path: Path):
    """At least 80 % of bare urllib3 with as many threads."""
    with server(photos(tmp_path / "photos", (240, 180), 20)) as base:

        def both() -> tuple[float, float]:
            pairs = [
                (
                    seconds(lambda: bare(base, FETCHED, len)),
                    seconds(lambda: sum(1 for _ in ours(base, FETCHED))),
                )
                for _ in range(ROUNDS)
            ]
            return min(a for a, _ in pairs), min(b for _, b in pairs)

        alone, whole = benchmark.pedantic(both, rounds=1)
    table(
        "Fetching 20 KB images over 8 connections",
        [("urllib3 in threads", FETCHED / alone, 1.0), ("ours", FETCHED / whole, alone / whole)],
    )
    assert alone / whole >= 0.8


def pillow_work(folder: Path, data: bytes) -> None:
    """What must be done to a file in any case: decode it, shrink it, encode it, store both."""
    image = Image.open(io.BytesIO(data))
    image.load()
    (folder / sha256_bytes(data)).write_bytes(data)
    again = Image.open(io.BytesIO(data)).convert("RGB")  # as the stage after next reads it anew
    again = again.resize((500, 375), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    again.save(buffer, "JPEG", quality=90)
    copy = buffer.getvalue()
    (folder / sha256_bytes(copy)).write_bytes(copy)


def our_copy(images: BlobStore, copies: BlobStore, image_id: str) -> str:
    return copies.put(display_copy(images.get(image_id), 500, "jpeg", 90))


def test_all_of_gathering_beside_urllib3_and_pillow(benchmark, tmp_path: Path):
    """Fetching, decoding, storing, display copies: at least 80 % of urllib3 and Pillow alone."""
    workers = usable_cores()
    context = get_context("spawn")

    def by_hand(base: str, folder: Path) -> None:
        folder.mkdir()
        with ProcessPoolExecutor(workers, context) as pool:
            jobs = []
            bare(base, PROCESSED, lambda data: jobs.append(pool.submit(pillow_work, folder, data)))
            for job in jobs:
                job.result()

    def gathered(base: str, folder: Path) -> None:
        images, copies = BlobStore(folder / "images"), BlobStore(folder / "display")
        keeper = Keeper(images, 80_000_000, 16)
        kept = [item.image_id for item in keeper.keep(ours(base, PROCESSED), workers)]
        assert None not in kept
        assert len(list(run(partial(our_copy, images, copies), kept, workers=workers))) == PROCESSED

    with server(photos(tmp_path / "photos", (1024, 768), 20), "each another") as base:

        def both() -> tuple[float, float]:
            pairs = [
                (
                    seconds(lambda r=r: by_hand(base, tmp_path / f"by-hand-{r}")),
                    seconds(lambda r=r: gathered(base, tmp_path / f"gathered-{r}")),
                )
                for r in range(ROUNDS)
            ]
            return min(a for a, _ in pairs), min(b for _, b in pairs)

        alone, whole = benchmark.pedantic(both, rounds=1)
    table(
        f"Fetching, decoding, storing and display copies of 1024×768 photos, {workers} processes",
        [
            ("urllib3, the same Pillow work, files", PROCESSED / alone, 1.0),
            ("ours", PROCESSED / whole, alone / whole),
        ],
    )
    assert alone / whole >= 0.8


MEMORY = """
import json, resource, sys, time
from datetime import UTC, datetime
sys.path.insert(0, "tests")
from pathlib import Path
from sqlalchemy import insert
from support.studies import context, tiny_study
from replicate.stages.common import Tally
from replicate.stages.gather_files import download_candidates
from replicate.store.tables import Candidate, Query, Run
root, base, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
study = tiny_study(root)
with study.session() as session:
    session.execute(insert(Run), [dict(run_id=1, stage="gather", versions={}, seed=1,
        pipeline_digest="", started_at=datetime.now(UTC), status="done", done=0, skipped=0,
        failed={}, details={})])
    session.execute(insert(Query), [dict(query_id="q", source="table", class_id="0", term="t",
        page=1, fetched=0, new=0, run_id=1)])
    for start in range(0, count, 5000):
        session.execute(insert(Candidate), [dict(source="table", source_id=str(n), class_id="0",
            position=n, query_id="q", url=f"{base}/{n}", status="found", attempts=0)
            for n in range(start, start + 5000)])
started, tally = time.perf_counter(), Tally()
download_candidates(context(study), tally, str, False)
own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([tally.done, own / 1024, children / 1024, time.perf_counter() - started]))
study.close()
"""


def test_memory_is_flat_as_the_pool_grows(benchmark, tmp_path: Path):
    """At most 500 MiB for 100,000 candidates, and little more than for 10,000."""
    sizes = (10_000, 100_000)
    with server(photos(tmp_path / "photos", (32, 24), 20), "each another") as base:

        def measure() -> list[list[float]]:
            found = []
            for size in sizes:
                arguments = [str(tmp_path / f"study-{size}"), base, str(size)]
                done = subprocess.run(
                    [sys.executable, "-c", MEMORY, *arguments], capture_output=True, check=True
                )
                found.append(json.loads(done.stdout))
            return found

        few, many = benchmark.pedantic(measure, rounds=1)
    print(f"\nGathering files, {usable_cores()} processes (load {os.getloadavg()[0]:.1f})")
    for size, (done, own, child, took) in zip(sizes, (few, many), strict=True):
        assert done == size
        print(
            f"  {size:8,} candidates  {own:5.0f} MiB, each process {child:4.0f} MiB at most,"
            f" {size / took:6,.0f} candidates/s"
        )
    assert many[1] + usable_cores() * many[2] <= 500
    assert many[1] <= few[1] + 50
