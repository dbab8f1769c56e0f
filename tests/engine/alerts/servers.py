"""A webhook and a mail server on loopback, with the faults of real ones."""

import contextlib
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal, Self

WebhookFault = Literal["", "500", "404", "429", "redirect", "slow", "drip", "cut", "echo"]
MailFault = Literal["", "down", "slow", "refuse-login", "busy", "no-tls", "refuse-receiver"]
CERTIFICATE = Path(__file__).parent / "localhost.pem"
"""Self-signed, for localhost and 127.0.0.1; worth nothing anywhere else."""
TOKEN = "T0KEN-7f31c2-do-not-print"
PASSWORD = "pa55-9c1e-do-not-print"


PATIENCE_S = 120.0


def wait_until(condition: Callable[[], object]) -> None:
    """Fails when it does not come true in time; a test must not hang."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


class FakeWebhook:
    """Start with ``with``; keeps what was posted."""

    def __init__(self, fault: WebhookFault = "", *, tls: bool = False) -> None:
        self.fault: WebhookFault = fault
        self.posted: list[bytes] = []
        self.paths: list[str] = []
        self._tls = tls
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self._server.server_address[1]}/services/{TOKEN}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.paths.append(f"GET {self.path}")
                self.send_error(405)

            def do_POST(self) -> None:
                fake.paths.append(self.path)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with contextlib.suppress(OSError):
                    fake._answer(self, body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        match self.fault:
            case "slow":
                time.sleep(3)
            case "drip":
                for byte in b"HTTP/1.0 200 OK" * 20:
                    handler.wfile.write(bytes([byte]))
                    time.sleep(0.1)
            case "cut":
                handler.connection.shutdown(socket.SHUT_RDWR)
            case "redirect":
                handler.send_response(302)
                handler.send_header("Location", f"http://127.0.0.1:9/{TOKEN}")
                handler.end_headers()
            case "echo":
                handler.send_response(500, f"cannot post to {handler.path}")
                handler.end_headers()
                handler.wfile.write(handler.path.encode())
            case "":
                self.posted.append(body)
                handler.send_response(200)
                handler.end_headers()
            case _:
                handler.send_response(int(self.fault))
                handler.end_headers()


class FakeMail:
    """A mail server that speaks as much ESMTP as `smtplib` needs."""

    def __init__(self, fault: MailFault = "") -> None:
        self.fault: MailFault = fault
        self.received: list[str] = []
        self.encrypted: list[bool] = []
        self.logins: list[str] = []
        fake = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    fake._talk(self.request)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def _talk(self, connection: socket.socket) -> None:
        if self.fault == "slow":
            time.sleep(3)
        if self.fault == "down":
            return
        secure = False
        lines = connection.makefile("rb")
        self._say(connection, "220 fake")
        while line := lines.readline().decode().strip():
            word = line.split()[0].upper()
            if word == "EHLO":
                offers = ["fake", *([] if secure or self.fault == "no-tls" else ["STARTTLS"])]
                offers += ["AUTH PLAIN LOGIN"]
                self._say(connection, *(f"250-{o}" for o in offers[:-1]), f"250 {offers[-1]}")
            elif word == "STARTTLS":
                self._say(connection, "220 go")
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(CERTIFICATE)
                connection = context.wrap_socket(connection, server_side=True)
                lines, secure = connection.makefile("rb"), True
            elif word == "AUTH":
                self.logins.append(line)
                refused = self.fault == "refuse-login"
                answer = f"535 {PASSWORD} for {line} is wrong" if refused else "235 welcome"
                self._say(connection, answer)
            elif word == "MAIL" and self.fault == "busy":
                self._say(connection, "451 try later")
            elif word == "RCPT" and self.fault == "refuse-receiver":
                self._say(connection, "550 nobody here")
            elif word == "DATA":
                self._say(connection, "354 go")
                text = []
                while (row := lines.readline()) != b".\r\n":
                    text.append(row.decode())
                self.received.append("".join(text))
                self.encrypted.append(secure)
                self._say(connection, "250 taken")
            elif word == "QUIT":
                self._say(connection, "221 bye")
                return
            else:
                self._say(connection, "250 ok")

    def _say(self, connection: socket.socket, *lines: str) -> None:
        connection.sendall("".join(f"{line}\r\n" for line in lines).encode())
