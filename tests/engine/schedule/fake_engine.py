"""An executable that answers like the engine: ``signals`` seals at once and in whole, ``fail`` as told.

Run as a script; takes the words of a job.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.engine.schedule.sealing import seal


def main(words: list[str]) -> int:
    workspace = Path(words[words.index("--workspace") + 1])
    match words[0]:
        case "signals":
            return _signals(workspace, words[words.index("--date") + 1])
        case "environment":
            sys.stdout.write(json.dumps({"environment": dict(os.environ), "words": words}) + "\n")
            return 0
        case "chatter":
            sys.stderr.write("x" * 1000 + "\n")
            sys.stdout.write("no json" + "\n")
            return 7
        case "family":  # a child of its own, deaf to SIGTERM like its parent
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            deaf = (
                "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
            )
            child = subprocess.Popen([sys.executable, "-c", deaf])
            (workspace / "pids").write_text(f"{os.getpid()} {child.pid}")
            time.sleep(60)
        case "polite":
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
            (workspace / "pids").write_text(f"{os.getpid()}")
            time.sleep(60)
    return 1


def _signals(workspace: Path, session: str) -> int:
    stamp = seal(workspace, session, "TRADE", pause_s=0.1)
    time.sleep(0.1)
    sys.stdout.write(json.dumps({"session": session, "verdict": "TRADE", "seal": stamp}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
