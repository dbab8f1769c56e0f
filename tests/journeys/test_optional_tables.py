"""Optional tables over the real command line."""

from pathlib import Path

from engine.data.store import PanelStore
from tests.journeys.command import atft_here

BARS = "date,code,open,high,low,close,volume\n2024-01-05,A,1,2,1,2,100\n"


def test_ingest_reads_optional_files_and_says_what_it_did(tmp_path: Path) -> None:
    files = {
        "prices": BARS,
        "margin": "Date,Code,LongVol,S\n2024-01-05,A,5,1\n",
        "options": "Date,Strike,PCDiv,SQD,IV\n2024-01-05,33000,1,2024-02-09,18.5\n",
    }
    words = []
    for name, text in files.items():
        path = tmp_path / f"{name}.csv"
        path.write_text(text, encoding="utf-8")
        words += [f"--{name}", str(path)]
    data = tmp_path / "workspace"
    done = atft_here(data, "ingest", "--source", "files", *words, "--columns", "margin.short=S")
    assert done.code == 0, done.err
    assert "margin: 1 rows" in done.out
    assert "percent" in done.out
    raw = PanelStore(data / "data").snapshot().raw()
    assert set(raw.optional) == {"margin", "options"}
    assert raw.optional["margin"]["short"].to_list() == [1.0]
    wrong = atft_here(data, "ingest", "--source", "files", *words)
    assert wrong.code == 3
    assert "no column for `short`" in wrong.err


def test_the_synthetic_market_delivers_them_on_request(tmp_path: Path) -> None:
    settings = ("data.synthetic.n_symbols=20", "data.synthetic.n_sessions=400",
                "data.synthetic.optional_tables=true")  # fmt: skip
    words = [word for setting in settings for word in ("--set", setting)]
    done = atft_here(tmp_path, "ingest", "--source", "synthetic", *words)
    assert done.code == 0, done.err
    assert len(PanelStore(tmp_path / "data").snapshot().raw().optional) == 6
