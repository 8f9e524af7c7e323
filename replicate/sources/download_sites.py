"""Connections to the servers that images come from, kept open between downloads."""

import os
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3 import exceptions as trouble

from replicate.base.errors import ItemError, UsageError
from replicate.sources.download_answers import AGENT, Demands, RedirectedError, discard, read_answer

_HEADERS = {"user-agent": f"{AGENT} (image gathering for research)", "accept": "image/*"}
_POOLS = 256  # hosts whose connections are kept open


class Sites:
    """The servers, each with its open connections; all threads share them.

    What the environment says of proxies (``HTTPS_PROXY``, ``NO_PROXY``) and of certificates
    (``REQUESTS_CA_BUNDLE``, ``SSL_CERT_FILE``) is followed.

    Args:
        timeout: Seconds to wait for a connection, and between two pieces of an answer.
        connections: Connections to one host that are kept open.
        demands: What an answer must keep to.
    """

    def __init__(self, timeout: float, connections: int, demands: Demands) -> None:
        import certifi

        given = (os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"))
        self._options: dict[str, Any] = {
            "num_pools": _POOLS,
            "maxsize": connections,
            "headers": _HEADERS,
            "timeout": urllib3.Timeout(connect=timeout, read=timeout),
            "ca_certs": next((path for path in given if path), certifi.where()),
        }
        self._direct = urllib3.PoolManager(**self._options)
        self._pools: dict[tuple[str, str], urllib3.HTTPConnectionPool] = {}
        self._proxies: dict[str, urllib3.ProxyManager] = {
            scheme: self._proxy(address)
            for scheme, address in getproxies().items()
            if scheme in ("http", "https")
        }
        self._demands = demands

    def get(self, url: str) -> bytes:
        """The bytes of an image.

        Args:
            url: An address that `host_of` takes.

        Raises:
            RedirectedError: It is elsewhere.
            ThrottledError: The host asks to be left alone.
            ItemError: It cannot be had; with a reason.
        """
        try:
            response = self._asked(url)
        except (trouble.NewConnectionError, trouble.ProtocolError) as error:
            raise ItemError("connection", str(error)) from error
        except trouble.TimeoutError as error:
            raise ItemError("timeout", str(error)) from error
        except trouble.SSLError as error:
            # A certificate that is wrong now is wrong the next time as well.
            wrong = "CERTIFICATE" in str(error)
            raise ItemError("refused" if wrong else "connection", str(error)) from error
        except trouble.ProxyError as error:
            raise ItemError("connection", str(error)) from error
        except (trouble.HTTPError, HTTPException, ValueError) as error:
            raise ItemError("refused", f"{type(error).__name__}: {error}") from error
        try:
            data = read_answer(response, url, self._demands)
        except (ItemError, RedirectedError):
            if response.status == 200:  # the rest of an image that is not wanted
                response.close()
            discard(response)
            raise
        except trouble.TimeoutError as error:
            raise ItemError("timeout", str(error)) from error
        except (trouble.HTTPError, HTTPException, OSError) as error:
            raise ItemError("cut", f"{type(error).__name__}: {error}") from error
        response.release_conn()
        return data

    def _asked(self, url: str) -> urllib3.BaseHTTPResponse:
        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.hostname or ""
        if scheme in self._proxies and not proxy_bypass(host):
            return self._proxies[scheme].urlopen(
                "GET",
                url,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
            )
        # As PoolManager.urlopen does, without taking the address apart once more.
        pool = self._pools.get((scheme, parts.netloc))
        if pool is None:
            if len(self._pools) >= _POOLS // 2:
                self._pools.clear()  # those in it are never among the ones that the manager closes
            pool = self._direct.connection_from_host(host, parts.port, scheme)
            self._pools[scheme, parts.netloc] = pool
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        return pool.urlopen(
            "GET",
            target,
            headers=_HEADERS,
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
        )

    def _proxy(self, address: str) -> urllib3.ProxyManager:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        login = f"{parts.username}:{parts.password or ''}" if parts.username else None
        try:
            return urllib3.ProxyManager(
                f"{parts.scheme}://{parts.hostname}:{parts.port or 80}",
                proxy_headers=urllib3.make_headers(proxy_basic_auth=login),
                **self._options,
            )
        except (trouble.HTTPError, ValueError) as error:
            raise UsageError(
                f"Images cannot be downloaded through the proxy {parts.scheme}://{parts.hostname}.",
                "Set HTTP_PROXY and HTTPS_PROXY to an http:// address, or unset them.",
            ) from error

    def close(self) -> None:
        """Close all connections that are not in use."""
        for manager in (self._direct, *self._proxies.values()):
            manager.clear()
