"""The last sessions of a price file one after another, as if live: append, signal, then ledger and report.

python -m benchmarks.signals_live WORKSPACE PRICES SECURITIES [sessions] [--set key=value ...]

A champion is trained on everything before; each session then comes as a file of its own, as a vendor
sends it. Needs no network; prints one line a session.
"""

import json
import sys
import time
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.options import say
from engine.cli import main as atft

SESSIONS = 20


def command(*words: str) -> tuple[int, dict[str, Any]]:
    """One command with ``--json --quiet``: exit code and answer."""
    out = StringIO()
    with redirect_stdout(out):
        code = atft([*words, "--json", "--quiet"])
    return code, json.loads(out.getvalue())


def main() -> None:
    words = sys.argv[1:]
    at = words.index("--set") if "--set" in words else len(words)
    workspace, prices, securities = (Path(w) for w in words[:3])
    sessions = int(words[3]) if at > 3 else SESSIONS
    settings = words[at:]
    place = ["--workspace", str(workspace)]
    workspace.mkdir(parents=True, exist_ok=True)
    table = pl.read_parquet(prices)
    days = table["date"].unique().sort()[-sessions:]
    files = workspace / "files"
    files.mkdir(exist_ok=True)
    table.filter(pl.col("date") < days[0]).write_parquet(files / "history.parquet")
    ingest = ["ingest", "--source", "files", "--securities", str(securities), *place, *settings]
    tell("ingest", command(*ingest, "--prices", str(files / "history.parquet")))
    code, trained = tell("train", command("train", *place, *settings))
    tell("audit", command("audit", *place, *settings))
    tell("promote", command("promote", trained["run_id"], "--force-reason", "first", *place))
    for day in days:
        path = files / f"{day}.parquet"
        table.filter(pl.col("date") == day).write_parquet(path)
        tell("append", command(*ingest, "--append", "--prices", str(path)))
        tell(str(day), command("signals", "--date", str(day), *place, *settings))
    tell("verify", command("verify", *place))
    code, told = command("ledger", *place, *settings)
    del told["rows"]
    say(json.dumps(told, indent=1) + f"\nexit {code}")
    tell("report", command("report", trained["run_id"], *place))


started = time.perf_counter()


def tell(what: str, done: tuple[int, dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    code, answer = done
    seconds = time.perf_counter() - started
    detail = answer.get("error") or answer.get("verdict") or ""
    lights = [x for x in answer.get("lights", ()) if x["verdict"] != "TRADE"]
    why = "; ".join(f"{x['name']}: {x['reason']}" for x in lights)
    say(f"{seconds:8.1f} s  {what:<12} exit {code}  {detail}  {why}")
    return code, answer


if __name__ == "__main__":
    main()
