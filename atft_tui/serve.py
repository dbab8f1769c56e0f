"""``atft-tui serve``: the cockpit in a browser. Read-only on this machine unless something else is said.

Who has the token sees what the cockpit sees: each request needs it, each window is a process of its own.
"""

import argparse
import asyncio
import ipaddress
import secrets
import shlex
import sys
from collections.abc import Awaitable, Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from engine.errors import EngineError, EnvironmentProblem, UsageError
from engine.plain_text import clean_lines
from engine.workspace import resolve_workspace

if TYPE_CHECKING:
    from aiohttp import web

_COOKIE = "atft_token"
_LEAST = 16
"""Characters of a token of one's own."""
_WINDOWS = 4
"""Open at the same time: each is a process of about 100 MiB."""
_WRONG_S = 0.5
"""A wrong token is answered after so long."""
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; connect-src 'self' ws: wss:; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}
"""The page comes from here alone: what it names of other servers is not loaded."""
_Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]


class Guard:
    """Lets through who has shown the token, from the page itself and under a name of this server."""

    def __init__(self, token: str, names: Sequence[str], windows: int = _WINDOWS) -> None:
        self.token, self.names, self.windows = token, frozenset(names), windows
        self._open = 0

    async def __call__(self, request: "web.Request", handler: _Handler) -> "web.StreamResponse":
        """The answer of the server behind; 403, 421 or 503 in place of it."""
        from aiohttp import web

        if request.host.lower() not in self.names:
            # Another name for this address: a page elsewhere may have made it (DNS rebinding).
            return web.Response(status=421, text="unknown name of this server\n")
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc.lower() != request.host.lower():
            return web.Response(status=403, text="asked by a page of another server\n")
        shown = request.query.get("token")
        if not secrets.compare_digest(
            (shown or request.cookies.get(_COOKIE, "")).encode(), self.token.encode()
        ):
            await asyncio.sleep(_WRONG_S)
            return web.Response(status=403, text="open the address with its token\n")
        if shown is not None:
            # The token leaves the address, so that neither history nor a screenshot keeps it.
            answer = web.Response(status=303, headers={"Location": "/"})
            safe = request.headers.get("X-Forwarded-Proto", request.scheme) == "https"
            answer.set_cookie(_COOKIE, self.token, httponly=True, samesite="Strict", secure=safe)
            return answer
        if request.path == "/ws":
            return await self._window(request, handler)
        response = await handler(request)
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response

    async def _window(self, request: "web.Request", handler: _Handler) -> "web.StreamResponse":
        from aiohttp import web

        if self._open >= self.windows:
            return web.Response(status=503, text=f"{self.windows} windows are open: close one\n")
        self._open += 1
        try:
            return await handler(request)
        finally:
            self._open -= 1


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address; no name but localhost is taken for one."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def token_of(given: str, host: str) -> str:
    """Given, in a file after ``@``, or a new one; UsageError where another machine would need none."""
    if not given:
        if is_loopback(host):
            return secrets.token_urlsafe(24)
        raise UsageError(
            f"{host} is reached from other machines: a token is needed",
            hint="--token @FILE, or leave --host out and come through ssh -L",
        )
    try:
        token = Path(given[1:]).read_text("utf-8").strip() if given.startswith("@") else given
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the token cannot be read: {error}") from error
    if len(token) < _LEAST:
        raise UsageError(f"the token has {len(token)} characters, {_LEAST} are the least")
    return token


def cockpit_words(workspace: Path, *, writes: bool) -> list[str]:
    """The command line of the process behind a window."""
    words = [sys.executable, "-P", "-m", "atft_tui", "--workspace", str(workspace)]
    return words if writes else [*words, "--read-only"]


def serve(workspace: Path, host: str, port: int, token: str, *, writes: bool, url: str) -> None:
    """Serve until it is stopped."""
    if find_spec("textual_serve") is None:
        raise EnvironmentProblem(
            "textual-serve is not installed", hint="pip install 'atft-tui[serve]'"
        )
    from aiohttp import web
    from textual_serve.server import Server

    local = [f"{name}:{port}" for name in ("localhost", "127.0.0.1", "[::1]")]
    shown = f"[{host}]" if ":" in host else host
    here = url or f"http://{shown}:{port}"
    guard = Guard(token, [*local, f"{shown}:{port}", urlsplit(here).netloc.lower()])

    class Guarded(Server):
        async def _make_app(self) -> web.Application:
            app = await super()._make_app()
            app.middlewares.append(web.middleware(guard))
            return app

        async def on_startup(self, app: web.Application) -> None:
            what = "starts and writes" if writes else "read-only"
            sys.stdout.write(f"{what}, until ctrl+c: {here}/?token={token}\n")
            sys.stdout.flush()

        def initialize_logging(self) -> None:
            """No line for each request: the first would hold the token."""

    command = shlex.join(cockpit_words(workspace, writes=writes))
    Guarded(command, host, port, title="atft-tui", public_url=here).serve()


def main(arguments: Sequence[str]) -> int:
    """The words after ``atft-tui serve``; returns the exit code."""
    parser = argparse.ArgumentParser("atft-tui serve", description="The cockpit in a browser.")
    parser.add_argument("--workspace", metavar="DIR", help="Directory of data, runs and reports.")
    parser.add_argument("--host", default="127.0.0.1", help="Address to listen at.")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--token", default="", help="A secret, or @FILE; a new one by itself.")
    parser.add_argument("--write", action="store_true", help="Let it start, ask and write.")
    parser.add_argument("--url", default="", help="Where a proxy shows it: https://NAME.")
    given = parser.parse_args(arguments)
    try:
        workspace, token = resolve_workspace(given.workspace), token_of(given.token, given.host)
        serve(workspace, given.host, given.port, token, writes=given.write, url=given.url)
    except (EngineError, OSError) as error:
        hint = error.hint if isinstance(error, EngineError) else ""
        sys.stderr.write(clean_lines(f"error: {error}\n{hint}".rstrip()) + "\n")
        return error.exit_code if isinstance(error, EngineError) else EnvironmentProblem.exit_code
    return 0
