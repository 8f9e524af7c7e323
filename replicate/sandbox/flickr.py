"""A local Flickr: answers the REST API's searches and serves the photos, on loopback.

It takes what Flickr takes: the OAuth POST that flickrapi sends and a plain GET or POST with
``api_key``; JSON (with or without its callback) and XML. The signature of an OAuth request is
not checked, only its key.
"""

import asyncio
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from replicate.sandbox.faults import FaultPlan, Faults

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from replicate.sandbox.photo_index import PhotoIndex, StoredPhoto

SANDBOX_KEY = "sandbox-key"
SANDBOX_SECRET = "sandbox-secret"
PLACEHOLDER = "/images/photo_unavailable.png"

_FAULT_CODES = {
    "105": (105, "Service currently unavailable"),
    "106": (106, "Write operation failed"),
    "201": (201, "Unable to complete the request"),
    "0": (0, "Sorry, the Flickr API service is not currently available."),
}


def serve(
    photos: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    ready_file: Path | None = None,
    exit_with_stdin: bool = False,
    faults: FaultPlan | None = None,
) -> None:
    """Serve a folder of photos until SIGTERM, SIGINT or (if asked) the end of standard input.

    Args:
        photos: A folder with ``photos.csv``.
        host: The address to listen on.
        port: The port; 0 takes a free one.
        ready_file: Gets ``{"endpoint", "pid"}`` as JSON once the server answers.
        exit_with_stdin: Stop when standard input ends: a child cannot outlive its parent.
        faults: What is to go wrong.

    Raises:
        MissingError: The folder has no table.
        UsageError: The table is malformed, or the port is in use.
    """
    # Imported late: whoever only wants the sandbox's key does not pay for a server.
    import uvicorn

    from replicate.sandbox.photo_index import PhotoIndex
    from replicate.web.serving import OrderlyServer, address, bound, run

    index = PhotoIndex(photos)
    with bound(host, port, "local Flickr") as listening:
        endpoint = f"{address(host, listening)}/services/rest/"
        config = uvicorn.Config(
            make_app(index, faults), log_level="warning", access_log=False, lifespan="off"
        )
        run(OrderlyServer(config, ready_file, {"endpoint": endpoint}), listening, exit_with_stdin)


def make_app(index: "PhotoIndex", faults: FaultPlan | None = None) -> "Starlette":
    """The server as an ASGI application."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    site = _Site(index, Faults(faults or FaultPlan()))
    return Starlette(
        routes=[
            Route("/services/rest/", site.rest, methods=["GET", "POST"]),
            Route("/services/rest", site.rest, methods=["GET", "POST"]),
            Route(PLACEHOLDER, site.placeholder),
            Route("/photos/{file:path}", site.photo),
        ]
    )


class _Site:
    def __init__(self, index: "PhotoIndex", faults: Faults) -> None:
        self._index = index
        self._faults = faults

    async def rest(self, request: "Request") -> "Response":
        """One call of the API."""
        from starlette.responses import PlainTextResponse

        from replicate.sandbox.flickr_answers import failure, search_answer
        from replicate.sandbox.photo_index import ApiError

        arguments = dict(request.query_params)
        if request.method == "POST":
            form = await request.form()
            arguments |= {name: value for name, value in form.items() if isinstance(value, str)}
        asked = "&".join(f"{k}={v}" for k, v in sorted(arguments.items()) if "oauth" not in k)
        fault = self._faults.draw("api", asked)
        if fault == "429":
            return _too_many(self._faults.plan.retry_after)
        if fault == "500":
            return PlainTextResponse("Internal Server Error", status_code=500)
        if fault == "slow":
            await asyncio.sleep(self._faults.plan.slow_seconds)
        try:
            if fault in _FAULT_CODES:
                raise ApiError(*_FAULT_CODES[fault])
            if _key(arguments, request.headers.get("authorization", "")) != SANDBOX_KEY:
                raise ApiError(100, "Invalid API Key (Key has invalid format)")
            if arguments.get("method") != "flickr.photos.search":
                raise ApiError(112, f'Method "{arguments.get("method", "")}" not found')
            base = f"{request.url.scheme}://{request.url.netloc}"
            found = self._index.search(arguments, self._faults.plan.totals)
            answer = search_answer(found, arguments, base)
        except ApiError as error:
            answer = failure(error)
        response = _formatted(answer, arguments)
        if fault == "cut":
            return _cut(bytes(response.body), response.media_type)
        return response

    async def photo(self, request: "Request") -> "Response":
        """One photo, at its original size or smaller."""
        from starlette.responses import PlainTextResponse, RedirectResponse, Response

        from replicate.sandbox.flickr_answers import resized, split_size

        file, size = split_size(request.path_params["file"])
        found = self._index.by_file.get(file)
        if found is None or found.status == "gone":
            return PlainTextResponse("Not Found", status_code=404)
        fault = self._faults.draw("image", file)
        if fault == "429":
            return _too_many(self._faults.plan.retry_after)
        if fault == "500":
            return PlainTextResponse("Internal Server Error", status_code=500)
        if found.status == "placeholder":
            return RedirectResponse(PLACEHOLDER, status_code=302)
        data = self._data(found)
        if data is None:
            return PlainTextResponse("Not Found", status_code=404)
        if size is not None and found.status != "drawn":
            data = resized(data, size)
        if fault == "slow":
            await asyncio.sleep(self._faults.plan.slow_seconds)
        if fault == "cut":
            return _cut(data, media_type(data))
        return Response(data, media_type=media_type(data))

    def _data(self, photo: "StoredPhoto") -> bytes | None:
        """A photo's file; None if it is not there."""
        from replicate.sandbox.photo_drawn import drawn

        if photo.status == "drawn":
            return drawn(photo.id)
        try:
            return (self._index.folder / photo.file).read_bytes()
        except OSError:
            return None

    async def placeholder(self, request: "Request") -> "Response":
        """The picture that stands in for photos that are no more."""
        from PIL import Image
        from starlette.responses import Response

        buffer = io.BytesIO()
        Image.new("RGB", (500, 374), (238, 238, 238)).save(buffer, "PNG")
        return Response(buffer.getvalue(), media_type="image/png")


def media_type(data: bytes) -> str:
    """The type of a file by its first bytes."""
    if data.startswith(b"\xff\xd8"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG"):
        return "image/png"
    if data.startswith(b"GIF8"):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return "text/html; charset=utf-8" if data.lstrip()[:1] == b"<" else "application/octet-stream"


def _key(arguments: Mapping[str, str], authorization: str) -> str:
    """The API key of a request: plain, or of its OAuth header or parameters."""
    found = re.search(r'oauth_consumer_key="([^"]*)"', authorization)
    if found:
        return unquote(found.group(1))
    return arguments.get("api_key") or arguments.get("oauth_consumer_key") or ""


def _formatted(answer: dict[str, Any], arguments: Mapping[str, str]) -> "Response":
    from starlette.responses import Response

    from replicate.sandbox.flickr_answers import as_xml

    if arguments.get("format", "rest") != "json":
        return Response(as_xml(answer), media_type="text/xml; charset=utf-8")
    text = json.dumps(answer, ensure_ascii=False)
    if arguments.get("nojsoncallback") == "1":
        return Response(text, media_type="application/json")
    callback = arguments.get("jsoncallback", "jsonFlickrApi")
    callback = callback if re.fullmatch(r"[\w.]{1,64}", callback) else "jsonFlickrApi"
    return Response(f"{callback}({text})", media_type="application/javascript")


def _cut(data: bytes, kind: str | None) -> "Response":
    """An answer whose connection closes half-way."""
    from starlette.responses import StreamingResponse

    half: Iterator[bytes] = iter([data[: len(data) // 2]])
    return StreamingResponse(half, media_type=kind, headers={"content-length": str(len(data))})


def _too_many(seconds: int) -> "Response":
    from starlette.responses import PlainTextResponse

    return PlainTextResponse(
        "Too Many Requests", status_code=429, headers={"retry-after": str(seconds)}
    )
