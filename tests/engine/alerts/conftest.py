import pytest

from engine.config import AlertConfig
from tests.engine.alerts.servers import CERTIFICATE


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No secret of the real user; the fake servers' certificate is trusted."""
    for name in ("ATFT_WEBHOOK_URL", "ATFT_SMTP_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))


@pytest.fixture
def local() -> AlertConfig:
    """Webhook to this machine; short pauses."""
    return AlertConfig(
        webhook=True, insecure_loopback=True, timeout_seconds=0.5, attempts=3, backoff_seconds=10
    )
