"""docs/faults.md: every case has a line, and every test that it names is there."""

import re
from collections import Counter

from tests.faults import PAGE, ROOT, ROW, TEST

TEXT = PAGE.read_text(encoding="utf-8")
ROWS = ROW.findall(TEXT)


def test_every_case_has_one_line_and_what_is_not_whole_says_why() -> None:
    assert [int(number) for number, *_ in ROWS] == list(range(1, 56))
    assert all(why for _, _, state, _, _, why in ROWS if state != "survived")


def test_every_test_that_is_named_is_there_and_slow_where_that_is_said() -> None:
    for _, _, _, tests, _, _ in ROWS:
        named = TEST.findall(tests)
        assert named
        for file, name, slow in named:
            before, found, _ = (ROOT / "tests" / file).read_text().partition(f"def {name}(")
            assert found, f"{file} has no {name}"
            marks = re.split(r"\n\n\n", before)[-1]
            assert ("@pytest.mark.slow\n" in marks) == bool(slow), name


def test_the_counts_of_the_page_are_those_of_its_lines() -> None:
    count = Counter(state for _, _, state, *_ in ROWS)
    told = re.search(r"(\d+) survived, (\d+) partly, (\d+) not tried", TEXT)
    assert told
    assert [int(n) for n in told.groups()] == [
        count[state] for state in ("survived", "partly", "not tried")
    ]
