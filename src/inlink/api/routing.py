"""What answers at which path, and by which methods.

In: the endpoints of a server. Out: one route of Starlette for all of them. It looks a path up in a
dictionary, where Starlette's own routes try one regular expression after another. Slashes that are
doubled or at the end of a path do not count.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

_SLASHES = re.compile("//+")
_HOST = re.compile(rb"[0-9A-Za-z!$&'()*+,;=\-._~:\[\]@%]*")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What answers at one path, or at every path one segment below it."""

    path: str
    methods: tuple[str, ...]
    """Besides OPTIONS, which is answered everywhere."""
    app: ASGIApp
    below: bool = False
    """Whether one more segment follows, which ``path_params`` has as ``name``."""


class Endpoints(BaseRoute):
    """The route to all endpoints of a server."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        endpoints = list(endpoints)
        self._at = {endpoint.path: endpoint for endpoint in endpoints if not endpoint.below}
        self._below = {endpoint.path: endpoint for endpoint in endpoints if endpoint.below}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Take every request: what is at no path is refused here, too."""
        return (Match.FULL if scope["type"] == "http" else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to its endpoint.

        Raises:
            HTTPException: 400, the header Host is invalid; 404, there is no endpoint; 405, it does
                not take the method, and the header Allow lists those that it takes.
        """
        _check_host(scope)
        endpoint = self._at.get(scope["path"]) or self._find(scope)
        if scope["method"] in endpoint.methods:
            await endpoint.app(scope, receive, send)
            return
        allowed = {"Allow": ", ".join([*endpoint.methods, "OPTIONS"])}
        if scope["method"] != "OPTIONS":
            raise HTTPException(405, headers=allowed)
        await Response(status_code=204, headers=allowed)(scope, receive, send)

    def _find(self, scope: Scope) -> Endpoint:
        """The endpoint of a path with slashes to spare, or with a name at its end."""
        path = _SLASHES.sub("/", "/" + scope["path"].strip("/"))
        if path in self._at:
            return self._at[path]
        parent, _, name = path.rpartition("/")
        if parent not in self._below:
            raise HTTPException(404)
        scope["path_params"] = {"name": name}
        return self._below[parent]


def _check_host(scope: Scope) -> None:
    """Refuse what cannot be a host, as RFC 9112 (3.2) demands."""
    for name, value in scope["headers"]:
        if name == b"host":
            if not _HOST.fullmatch(value):
                raise HTTPException(400, "Invalid host header")
            return
