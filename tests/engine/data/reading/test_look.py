"""Files of every ending, encoding, separator and head are found and looked at rightly."""

import bz2
import codecs
import datetime as dt
import gzip
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.reading.finding import decoded
from engine.errors import DataError
from tests.engine.data.reading.given import BARS, HEAD, ROWS, bars, frame, reading, text, write_xlsx


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue())


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstd,
}


@pytest.mark.parametrize("name", ["a.csv", "A.CSV", "a.txt", "a.TSV", "x/y/z/a.Csv"])
def test_any_ending_at_any_depth(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    mark = "\t" if file.suffix == ".TSV" else ","
    file.write_text(text().replace(",", mark))
    assert bars(tmp_path) == BARS


@pytest.mark.parametrize("packing", [*PACKERS, *(p.upper() for p in PACKERS)])
def test_compressed_files_in_a_folder_and_named(tmp_path: Path, packing: str) -> None:
    file = tmp_path / f"prices.csv{packing}"
    file.write_bytes(PACKERS[packing.lower()](text().encode()))
    assert bars(tmp_path) == BARS
    assert bars(file) == BARS


@pytest.mark.parametrize("packing", PACKERS)
def test_a_cut_archive_is_refused_by_name(tmp_path: Path, packing: str) -> None:
    file = tmp_path / f"prices.csv{packing}"
    content = PACKERS[packing](text(*(ROWS * 200)).encode())
    file.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(DataError, match=rf"prices\.csv\{packing}: "):
        reading(tmp_path)


def test_a_zip_of_several_files_and_what_lies_beside_them(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("data/daily/AAPL.txt", text(ROWS[0]))
        archive.writestr("data/daily/more/aapl.csv", text(ROWS[1]))
        archive.writestr("__MACOSX/._AAPL.txt", b"\0\1")
        archive.writestr("LICENSE.md", "free")
    read = reading(tmp_path / "all.zip")
    assert read.raw.bars.select(HEAD.split(",")).rows() == BARS
    assert {one.file.rpartition("/")[2] for one in read.plans[0].unread} == {
        "._AAPL.txt",
        "LICENSE.md",
    }
    assert read.origin.where(0).endswith("all.zip/data/daily/AAPL.txt: line 2")


@pytest.mark.parametrize(
    "name", ["p.parquet", "p.feather", "p.arrow", "p.PARQUET", "p.xlsx", "renamed.csv"]
)
def test_typed_files_told_by_content_and_ending(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    if name.endswith("xlsx"):
        write_xlsx(file, {"Sheet1": [HEAD.split(","), *BARS]})
    elif "parquet" in name.lower() or "csv" in name:
        frame().write_parquet(file)
    else:
        frame().write_ipc(file)
    assert bars(tmp_path) == BARS


def test_excel_keeps_codes_and_takes_a_sheet_a_ticker(tmp_path: Path) -> None:
    head = ["Date", "Open", "High", "Low", "Close", "Volume"]
    day = dt.date(2024, 1, 4)
    write_xlsx(
        tmp_path / "book.xlsx",
        {
            "0050": [["A report of today"], [], head, [day, 1.5, 2, 1, 1.25, 100]],
            "7203": [head, [day, 3, 4, 2, 3.5, 200]],
        },
    )
    assert bars(tmp_path, market="jp") == [
        (day, "0050", 1.5, 2.0, 1.0, 1.25, 100.0),
        (day, "7203", 3.0, 4.0, 2.0, 3.5, 200.0),
    ]
    assert reading(tmp_path, market="jp").origin.where(0).endswith("book.xlsx[0050]: line 4")


def test_what_was_not_read_is_listed_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text(text())
    (tmp_path / "notes.md").write_text("# notes")
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "head.csv").write_text(HEAD + "\n")
    (tmp_path / "reports.csv").write_text("symbol,end_date,revenues,dividend\nA,2023-12-31,5,1\n")
    (tmp_path / "symbols.txt").write_text("XXII\t22nd Century Group\nFAX\tAberdeen\n")
    unread = {Path(one.file).name: one.reason for one in reading(tmp_path).plans[0].unread}
    assert unread.pop("empty.csv") == "the file is empty"
    assert "no rows" in unread.pop("head.csv")
    assert "ending .md" in unread.pop("notes.md")
    assert "revenues" in unread.pop("reports.csv")
    assert unread == {"symbols.txt": "no line of names"}


def test_a_folder_without_a_table_and_one_with_half_a_table_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# notes")
    with pytest.raises(DataError, match=r"no table was found .*notes\.md"):
        reading(tmp_path)
    (tmp_path / "prices.csv").write_text(text())
    (tmp_path / "more.csv").write_text("date,symbol,open,high,low\n2024-01-02,B,1,2,1\n")
    with pytest.raises(DataError, match=r"more\.csv: no column for `close`, `volume`"):
        reading(tmp_path)


JAPANESE = "日付,銘柄コード,始値,高値,安値,終値,出来高"
CHINESE = "交易日期,证券代码,开盘价,最高价,最低价,收盘价,成交量"
TAIWANESE = "日期,證券代號,開盤價,最高價,最低價,收盤價,成交股數"
KOREAN = "날짜,종목코드,시가,고가,저가,종가,거래량"
POLISH = "Data,Ticker,Otwarcie,Najwyższy,Najniższy,Zamknięcie,Wolumen"
ENCODINGS = [
    (JAPANESE, encoding, encoding)
    for encoding in ("utf-8", "cp932")
] + [
    (JAPANESE, "utf-8-sig", "utf-8"), (JAPANESE, "utf-16", "utf-16"), (JAPANESE, "utf-16-le", "utf-16-le"),
    (KOREAN, "cp949", "cp949"), (TAIWANESE, "cp950", "cp950"), (POLISH, "cp1250", "cp1250"),
    (JAPANESE, "utf-16-be", "utf-16-be"), (CHINESE, "gbk", "gbk"), (CHINESE, "utf-8", "utf-8"),
    (HEAD + ",Société Générale", "latin-1", "latin-1"),
]  # fmt: skip


@pytest.mark.parametrize(("head", "encoding", "told"), ENCODINGS)
def test_encodings_are_told_by_the_bytes(
    tmp_path: Path, head: str, encoding: str, told: str
) -> None:
    rows = ROWS if head.count(",") == 6 else tuple(f"{row},é" for row in ROWS)
    (tmp_path / "p.csv").write_bytes(text(*rows, head=head, end="\r\n").encode(encoding))
    read = reading(tmp_path / "p.csv")
    assert read.raw.bars.select(HEAD.split(",")).rows() == BARS
    assert read.plans[0].encoding == told


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        ("トヨタ自動車,ソニーグループ,任天堂", "cp932"), ("日産自動車,本田技研工業", "cp932"),
        ("平安银行,万科企业,招商银行", "gbk"), ("贵州茅台", "gbk"), ("平安", "gbk"),
        ("삼성전자,현대자동차,네이버", "cp949"), ("台積電,鴻海精密,聯發科", "cp950"),
        ("Nestlé,Münchener Rück", "latin-1"),
        ("L'Oréal,Crédit Agricole,Hermès", "latin-1"), ("Ørsted,Novo,Mærsk", "latin-1"),
    ],
)  # fmt: skip
def test_names_in_the_usual_scripts(words: str, encoding: str) -> None:
    content, told = decoded(f"code,name\n1,{words}\n".encode(encoding), name="f")
    assert (told, words in content.decode()) == (encoding, True)


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_utf_8_is_never_taken_for_anything_else(words: str) -> None:
    content, told = decoded(words.encode(), name="f")
    assert (content.decode(), told) == (words.removeprefix("\ufeff"), "utf-8")


def test_bytes_that_fit_no_encoding_name_the_line(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes(text(*ROWS, "2024-01-04,ソニー").encode()[:-2])
    with pytest.raises(DataError, match="line 4 is not utf-8"):
        reading(tmp_path / "p.csv")
    (tmp_path / "p.csv").write_bytes(codecs.BOM_UTF8 + text().encode() + b"\xff\n")
    with pytest.raises(DataError, match="line 4 is not utf-8") as caught:
        reading(tmp_path / "p.csv")
    assert "--encoding" in caught.value.hint
    with pytest.raises(DataError, match="no encoding 'klingon'"):
        reading(tmp_path / "p.csv", encoding="klingon")


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("decimal", [".", ","])
def test_separators_are_told_by_the_lines(tmp_path: Path, mark: str, decimal: str) -> None:
    if mark == decimal:
        rows = [",".join(f'"{cell.replace(".", ",")}"' for cell in row.split(",")) for row in ROWS]
    else:
        rows = [row.replace(",", mark).replace(".", decimal) for row in ROWS]
    (tmp_path / "p.csv").write_text(text(*rows, head=HEAD.replace(",", mark)))
    read = reading(tmp_path / "p.csv")
    assert read.raw.bars.select(HEAD.split(",")).rows() == BARS
    assert (read.plans[0].separator, read.plans[0].decimal) == (mark, decimal)


def test_lines_before_the_names_blank_lines_and_quotes(tmp_path: Path) -> None:
    lines = [
        "# Exported by a broker, today", "Symbol list: AAPL; MSFT", "",
        HEAD + ",note", "", ROWS[0] + ',"two, or', 'three"', "", ROWS[1] + ',""', "",
    ]  # fmt: skip
    (tmp_path / "p.csv").write_text("\n".join(lines) + "\n")
    read = reading(tmp_path / "p.csv")
    assert read.raw.bars.select(HEAD.split(",")).rows() == BARS
    assert [read.origin.where(i).rpartition(": ")[2] for i in (0, 1)] == ["line 6", "line 9"]
    assert any("3 lines before the names" in note for note in read.plans[0].notes)


@pytest.mark.parametrize(
    "row", ["2024-01-04,AAPL,1,2,1,2", "2024-01-04,AAPL,1,2,1,2,5,7", "Total: 2"]
)
def test_rows_of_another_width_name_their_line(tmp_path: Path, row: str) -> None:
    (tmp_path / "p.csv").write_text(text(*ROWS, row, ROWS[1]))
    with pytest.raises(DataError, match=r"p\.csv: line 4 has \d fields"):
        reading(tmp_path / "p.csv")


def test_a_trailing_separator_is_no_column(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(text(*(row + "," for row in ROWS)))
    (tmp_path / "q.csv").write_text(
        text(*(row.replace("AAPL", "B") for row in ROWS), head=HEAD + ",")
    )
    assert [row[1] for row in bars(tmp_path)] == ["AAPL", "B", "AAPL", "B"]


def many(last: str) -> str:
    rows = [f"2024-01-{2 + i:02d},A,1.50,2.50,1.25,1.75,{1_000_000 + i}" for i in range(3)]
    rows += [f"2024-01-{8 + i:02d},A,1.50,2.50,1.25,1.75,{2_000_000 + i}" for i in range(4)]
    return "\n".join((HEAD, *rows, last))


def test_a_last_line_without_its_end_is_refused_where_it_shows_and_named_where_not(
    tmp_path: Path,
) -> None:
    file = tmp_path / "p.csv"
    whole = "2024-01-12,A,1.50,2.50,1.25,1.75,3000000"
    file.write_text(many(whole))
    assert any("the last line, 9, has no line end" in note for note in reading(file).plans[0].notes)
    with pytest.raises(DataError, match="line 9, the last one, has no line end"):
        reading(file, after=dt.date(2024, 1, 1))
    file.write_text(many(whole) + "\n")
    assert not reading(file, after=dt.date(2024, 1, 1)).plans[0].notes
    for cut in (whole[:-4], whole[:-9], whole[:12]):
        file.write_text(many(cut))
        with pytest.raises(DataError, match="line 9"):
            reading(file)


def test_line_ends_of_several_systems_in_one_file(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes(f"{HEAD}\r\n{ROWS[0]}\r{ROWS[1]}\n".encode())
    assert bars(tmp_path / "p.csv") == BARS
    assert reading(tmp_path / "p.csv").origin.where(1).endswith("line 3")


def test_a_damaged_workbook_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "p.xlsx"
    write_xlsx(file, {"Sheet1": [HEAD.split(","), *BARS]})
    content = file.read_bytes()
    for size in range(8, len(content), len(content) // 12):
        file.write_bytes(content[:size])
        with pytest.raises(DataError, match=r"p\.xlsx: not readable as Excel"):
            reading(tmp_path)


@settings(max_examples=150, deadline=None)
@given(
    at=st.integers(0, 180),
    gone=st.integers(0, 40),
    put=st.sampled_from(
        [b"", b'"', b",", b"\n", b"\r", b"\0", b";", b"\xff", b"1e999", "日".encode(), b"nan"]
    ),
)
def test_damaged_text_is_read_or_refused_and_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, at: int, gone: int, put: bytes
) -> None:
    content = text(*ROWS, *ROWS[:1]).encode()
    file = tmp_path_factory.mktemp("damaged") / "p.csv"
    file.write_bytes(content[:at] + put + content[at + gone :])
    rows, message = [], ""
    try:
        rows = bars(file)
    except DataError as error:
        message = error.message
    assert rows or "p.csv" in message
