"""A local Flickr in a thread of the test's own process, and folders of photos for it."""

import csv
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from replicate.base.images import encode_png
from replicate.sandbox.faults import FaultPlan
from replicate.sandbox.flickr import make_app
from replicate.sandbox.photo_index import PhotoIndex
from replicate.web.serving import bound


class Asked:
    """Counts what was asked of a local Flickr, when it was asked."""

    def __init__(self) -> None:
        self.searches = self.images = 0

    def wrap(self, app: Any) -> Any:
        async def counting(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"].startswith("/services/"):
                self.searches += 1
            else:
                self.images += 1
            await app(scope, receive, send)

        return counting


@contextmanager
def local_flickr(
    photos: Path, faults: FaultPlan | None = None, asked: Asked | None = None
) -> Iterator[str]:
    """Serve a folder of photos while the block runs; its endpoint."""
    app = make_app(PhotoIndex(photos), faults)
    with bound("127.0.0.1", 0, "local Flickr") as listener:
        server = uvicorn.Server(
            uvicorn.Config(
                app if asked is None else asked.wrap(app),
                log_level="critical",
                access_log=False,
                lifespan="off",
            )
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/services/rest/"
        finally:
            server.should_exit = True
            thread.join()


def write_table(folder: Path, rows: list[dict[str, object]]) -> None:
    """A photos.csv of the given rows; missing columns are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    names = sorted({name for row in rows for name in row}) or ["file", "id"]
    with (folder / "photos.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, names)
        writer.writeheader()
        writer.writerows(rows)


def many_photos(folder: Path, uploads: list[int], tags: str = "fish") -> list[str]:
    """A table of photos uploaded at these times, all of one tag; their ids. No files."""
    rows: list[dict[str, object]] = [
        {"id": str(10_000 + i), "file": f"files/{10_000 + i}_ab.png", "tags": tags,
         "date_upload": upload, "width": 90, "height": 60}
        for i, upload in enumerate(uploads)
    ]  # fmt: skip
    write_table(folder, rows)
    return [str(row["id"]) for row in rows]


def picture(value: int, side: int = 24) -> bytes:
    """A small PNG that decodes; pictures of different values differ."""
    import numpy as np

    pixels = np.full((side, side), value % 256, dtype=np.uint8)
    pixels[0, 0] = value // 256
    return encode_png(pixels)
