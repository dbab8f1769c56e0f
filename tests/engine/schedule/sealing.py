"""A small sealed signal: a card, a manifest and a seal, there whole or not at all. Light to import."""

import hashlib
import json
import os
import shutil
import time
from pathlib import Path


def seal(workspace: Path, session: str, verdict: str, pause_s: float = 0.0) -> str:
    """What `signals` writes, small: a directory that is there whole or not at all."""
    directory = workspace / "signals" / session
    lights = [{"name": "data", "verdict": verdict, "reason": "as planned"}]
    found = {"verdict": verdict, "session": session, "exchange": "XNYS", "lights": lights}
    card = json.dumps(found).encode()
    entry = {"sha256": hashlib.sha256(card).hexdigest(), "bytes": len(card)}
    manifest = json.dumps({"files": {"card.json": entry}}).encode()
    stamp = hashlib.sha256(manifest).hexdigest()
    if not directory.exists():
        staging = directory.with_name(f".staging-{session}-{os.getpid()}")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        (staging / "card.json").write_bytes(card)
        time.sleep(pause_s)  # long enough to be killed in
        (staging / "manifest.json").write_bytes(manifest)
        (staging / "SEAL").write_text(stamp + "\n")
        staging.rename(directory)
    return stamp
