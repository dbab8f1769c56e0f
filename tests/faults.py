"""``python -m tests.faults [CASE...]``: runs the tests that docs/faults.md names, and writes down when.

A case gets today's date if every test of its line passed; one that was skipped or failed leaves the old date.
Without numbers all 55 are run, the slow ones too, which takes hours.
"""

import datetime as dt
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "faults.md"
ROW = re.compile(
    r"^\| (\d+) \| (.+?) \| (survived|partly|not tried) \| (.*) \| ([\d-]*) \| (.*) \|$", re.M
)
"""Number, case, state, tests, date, what is to be said."""
TEST = re.compile(r"`([^`:]+)::(test_\w+)`( \(slow\))?")


def main(numbers: list[str]) -> int:
    """Exit code 1 if a case did not pass."""
    page = PAGE.read_text(encoding="utf-8")
    named = {
        row[1]: [(file, name) for file, name, _ in TEST.findall(row[4])]
        for row in ROW.finditer(page)
        if not numbers or row[1] in numbers
    }
    passed = run(sorted({test for tests in named.values() for test in tests}))
    done = {number for number, tests in named.items() if passed.issuperset(tests)}
    today = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"

    def dated(row: re.Match[str]) -> str:
        date = today if row[1] in done else row[5]
        return f"| {row[1]} | {row[2]} | {row[3]} | {row[4]} | {date} | {row[6]} |"

    # Read again: somebody may have written on it meanwhile.
    PAGE.write_text(ROW.sub(dated, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    left = sorted(named.keys() - done, key=int)
    sys.stdout.write(f"{len(done)} of {len(named)} passed; not: {', '.join(left) or '-'}\n")
    return int(bool(left))


def run(tests: list[tuple[str, str]]) -> set[tuple[str, str]]:
    """File and name of those that passed with every parameter."""
    ids = [f"tests/{file}::{name}" for file, name in tests]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        words = ("-q", "-W", "ignore", "-o", "addopts=", f"--junitxml={report}", *ids)
        subprocess.run([sys.executable, "-m", "pytest", *words], cwd=ROOT, check=False)
        cases = ET.parse(report).iter("testcase") if report.is_file() else ()  # noqa: S314 - our own
        good: dict[tuple[str, str], list[bool]] = defaultdict(list)
        for case in cases:
            file = case.get("classname", "").removeprefix("tests.").replace(".", "/") + ".py"
            good[file, case.get("name", "").partition("[")[0]].append(not len(case))
    return {test for test, every in good.items() if all(every)}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
