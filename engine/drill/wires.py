"""Alerts to servers of the drill on this machine, with secrets that must be found nowhere afterwards."""

import json
import secrets
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from engine.alerts.alert import PASSWORD, WEBHOOK
from engine.drill.bench import Ending, Workbench
from engine.drill.case import Case, Seen, failed, silent, survived

_SETTINGS = (
    "alerts.insecure_loopback=true",
    "alerts.timeout_seconds=2",
    "alerts.attempts=2",
    "alerts.backoff_seconds=0.01",
)
_MAIL = (
    "alerts.smtp_host=localhost",
    "alerts.smtp_user=desk",
    "alerts.mail_from=a@example.com",
    'alerts.mail_to=["b@example.com"]',
)


def cases(_: Workbench) -> Iterator[Case]:
    """What servers do to those who post and mail."""
    for name, done, talk in (
        ("echo", "a webhook that refuses and says back what it was sent", _echo),
        ("redirect", "a webhook that redirects", _redirect),
        ("drip", "a webhook that answers a byte a second", _drip),
    ):
        yield Case(f"wire-{name}", done, partial(_posted, talk))
    yield Case("wire-mail", "a mail server without STARTTLS that asks for the password", _mailed)
    yield Case("wire-schedule", "the scheduler tells a webhook that it has no signal", _scheduled)


@dataclass
class _Server:
    """Talks with each caller by its function, and keeps what it was sent."""

    talk: Callable[["_Server", socket.socket], None]
    heard: list[bytes] = field(default_factory=list)
    port: int = 0

    def receive(self, caller: socket.socket) -> bytes:
        """What the caller sends next."""
        content = caller.recv(65_536)
        self.heard.append(content)
        return content


@contextmanager
def _served(talk: Callable[[_Server, socket.socket], None]) -> Iterator[_Server]:
    server = _Server(talk)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # the caller has had enough
                server.talk(server, self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        server.port = listening.server_address[1]
        threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server
        finally:
            listening.shutdown()


def _request(server: _Server, caller: socket.socket) -> str:
    """The path that is asked for, after the whole request was read."""
    head, _, body = server.receive(caller).partition(b"\r\n\r\n")
    length = next(
        (int(r[15:]) for r in head.split(b"\r\n") if r.lower().startswith(b"content-len")), 0
    )
    while len(body) < length and (more := server.receive(caller)):
        body += more
    return head.split(b" ")[1].decode()


def _echo(server: _Server, caller: socket.socket) -> None:
    path = _request(server, caller)
    caller.sendall(f"HTTP/1.0 500 cannot post to {path}\r\n\r\n{path}".encode())


def _redirect(server: _Server, caller: socket.socket) -> None:
    _request(server, caller)
    where = f"http://127.0.0.1:{server.port}/followed"
    caller.sendall(f"HTTP/1.0 302 Found\r\nLocation: {where}\r\n\r\n".encode())


def _drip(server: _Server, caller: socket.socket) -> None:
    _request(server, caller)
    for byte in b"HTTP/1.0 200 OK" * 4:
        caller.sendall(bytes([byte]))
        threading.Event().wait(1.0)


def _take(server: _Server, caller: socket.socket) -> None:
    _request(server, caller)
    caller.sendall(b"HTTP/1.0 200 OK\r\n\r\n")


def _bare_mail(server: _Server, caller: socket.socket) -> None:
    caller.sendall(b"220 drill\r\n")
    while line := server.receive(caller):
        word = line[:4].upper()
        answer = b"250-drill\r\n250 AUTH PLAIN LOGIN\r\n" if word == b"EHLO" else b"250 ok\r\n"
        caller.sendall(b"221 bye\r\n" if word == b"QUIT" else answer)


def _posted(talk: Callable[[_Server, socket.socket], None], bench: Workbench) -> Seen:
    with _served(talk) as server:
        answer, seen = _told(bench, server, ("alerts", "test"), "alerts.webhook=true")
    if seen is not None:
        return seen
    if answer.code != 4:
        return failed(f"rc {answer.code} in place of 4: {answer.words}")
    if any(b"/followed" in content for content in server.heard):
        return silent("the redirect was followed")
    return survived(f"rc 4, {_problem(answer)}; the secret is nowhere")


def _mailed(bench: Workbench) -> Seen:
    with _served(_bare_mail) as server:
        port = f"alerts.smtp_port={server.port}"
        answer, seen = _told(bench, server, ("alerts", "test"), port, *_MAIL)
    if seen is not None:
        return seen
    if any(b"AUTH" in content[:4].upper() for content in server.heard):
        return silent("the password was sent in the clear")
    if answer.code != 4:
        return failed(f"rc {answer.code} in place of 4: {answer.words}")
    return survived(f"rc 4, {_problem(answer)}; the password was not sent")


def _scheduled(bench: Workbench) -> Seen:
    """In an empty workspace: there is no champion, which is told."""
    with _served(_take) as server:
        words = ("schedule", "once")
        answer, seen = _told(bench, server, words, "alerts.webhook=true", "data.market=synthetic")
    if seen is not None:
        return seen
    if not server.heard:
        return failed(f"nothing was told: rc {answer.code}, {answer.words}")
    return survived(f"rc {answer.code}, told {len(server.heard)} times; the secret is nowhere")


def _told(
    bench: Workbench, server: _Server, words: tuple[str, ...], *settings: str
) -> tuple[Ending, Seen | None]:
    """The command in an empty workspace with fresh secrets; silent where one of them is found."""
    canary = {
        WEBHOOK: f"c4nary-{secrets.token_hex(12)}",
        PASSWORD: f"c4nary-{secrets.token_hex(12)}",
    }
    environment = {
        WEBHOOK: f"http://127.0.0.1:{server.port}/services/{canary[WEBHOOK]}",
        PASSWORD: canary[PASSWORD],
    }
    place = bench.folder("wires")
    options = [word for one in (*_SETTINGS, *settings) for word in ("--set", one)]
    answer = bench.run(place, *words, *options, environment=environment)
    found = [name for name, secret in canary.items() if _leaked(secret, place, answer)]
    return answer, silent(f"{', '.join(found)} was found in a file or an output") if found else None


def _leaked(secret: str, place: Path, answer: Ending) -> bool:
    files = (path.read_bytes() for path in place.rglob("*") if path.is_file())
    return secret in answer.text or any(secret.encode() in content for content in files)


def _problem(answer: Ending) -> str:
    told = answer.json.get("channels", {})
    return json.dumps(told)[:120]
