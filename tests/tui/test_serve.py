"""The cockpit in a browser: nobody without the token, no other page, no other name, no fifth window."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from atft_tui import serve
from atft_tui.__main__ import main
from atft_tui.serve import Guard, cockpit_words, is_loopback, token_of
from engine.errors import UsageError

pytest.importorskip("aiohttp", reason="the extra 'serve' is not installed")
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

TOKEN = "a-token-of-tests-only"
ALL = "0.0.0.0"  # noqa: S104 - refused
Client = TestClient[web.Request, web.Application]


async def asked(check: Callable[[Client], Awaitable[None]], windows: int = 4) -> None:
    """A server whose every answer is ``in``, behind the guard."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="in")

    async def window(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        return socket

    guard = Guard(TOKEN, [], windows)
    app = web.Application(middlewares=[web.middleware(guard)])
    app.add_routes([web.get("/", answer), web.get("/ws", window)])
    async with TestClient(TestServer(app)) as client:
        guard.names = frozenset([f"{client.host}:{client.port}"])
        await check(client)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "_WRONG_S", 0.0)


async def test_the_token_opens_and_leaves_the_address() -> None:
    async def check(client: Client) -> None:
        for path in ("/", "/ws", "/?token=wrong", "/?token="):
            assert (await client.get(path)).status == 403, path
        answer = await client.get(f"/?token={TOKEN}", allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        client.session.cookie_jar.clear()
        given = await client.get("/", cookies={"atft_token": TOKEN})
        assert (given.status, await given.text()) == (200, "in")
        assert "default-src 'self'" in given.headers["Content-Security-Policy"]
        bad = await client.get("/", cookies={"atft_token": TOKEN + "x"})
        assert bad.status == 403

    await asked(check)


async def test_another_name_and_another_page_are_refused() -> None:
    async def check(client: Client) -> None:
        known = {"atft_token": TOKEN}
        other = await client.get("/", cookies=known, headers={"Host": "evil.example"})
        assert other.status == 421
        page = await client.get("/", cookies=known, headers={"Origin": "http://evil.example"})
        assert page.status == 403
        ours = {"Origin": f"http://{client.host}:{client.port}"}
        assert (await client.get("/", cookies=known, headers=ours)).status == 200

    await asked(check)


async def test_a_window_too_many_is_refused_until_one_is_closed() -> None:
    async def check(client: Client) -> None:
        headers = {"Cookie": f"atft_token={TOKEN}"}
        first = await client.ws_connect("/ws", headers=headers)
        assert (await client.get("/ws", headers=headers)).status == 503
        await first.close()
        for _ in range(100):
            if (await client.get("/ws", headers=headers)).status != 503:
                return
            await asyncio.sleep(0.01)
        pytest.fail("the closed window still counts")

    await asked(check, windows=1)


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True),
     (ALL, False), ("::", False), ("10.0.0.7", False), ("example.org", False)],
)  # fmt: skip
def test_other_machines_need_a_token_of_one_s_own(host: str, alone: bool) -> None:
    assert is_loopback(host) == alone
    if alone:
        assert len(token_of("", host)) >= 32
        assert token_of("", host) != token_of("", host)
    else:
        with pytest.raises(UsageError, match="a token is needed"):
            token_of("", host)
    assert token_of(TOKEN, host) == TOKEN


def test_a_token_is_read_from_a_file_and_not_too_short(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    assert token_of(f"@{path}", ALL) == TOKEN
    with pytest.raises(UsageError, match="cannot be read"):
        token_of(f"@{tmp_path / 'none'}", "localhost")
    with pytest.raises(UsageError, match="5 characters, 16"):
        token_of("short", "localhost")


def test_it_looks_on_unless_told_otherwise(tmp_path: Path) -> None:
    assert cockpit_words(tmp_path, writes=False)[-1] == "--read-only"
    assert "--read-only" not in cockpit_words(tmp_path, writes=True)


def test_a_refusal_is_told_with_its_way_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["atft-tui", "serve", "--host", ALL])
    assert main() == 2
    told = capsys.readouterr().err
    assert f"{ALL} is reached from other machines" in told
    assert "ssh -L" in told
