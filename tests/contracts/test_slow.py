"""No slow test can be forgotten: the parts hold all of them, and commits draw them in turn."""

import pytest

from tests.slow import part_of, tenth_of

NAMES = [f"tests/test_a.py::test_{n:02d}" for n in range(23)]


def test_parts_hold_every_test_once_and_neighbours_go_to_different_parts() -> None:
    parts = [part_of(NAMES, f"{k}/4") for k in (1, 2, 3, 4)]
    assert sorted(name for part in parts for name in part) == NAMES
    assert [len(part) for part in parts] == [6, 6, 6, 5]
    assert NAMES[0] in parts[0]
    assert NAMES[1] in parts[1]
    assert part_of(NAMES, "1/1") == set(NAMES)


@pytest.mark.parametrize("part", ["", "1", "0/4", "5/4", "1/0", "a/b"])
def test_a_part_that_is_none_is_refused(part: str) -> None:
    with pytest.raises(ValueError, match="K/N"):
        part_of(NAMES, part)


def test_a_commit_draws_a_tenth_whatever_their_order_and_a_hundred_commits_draw_all() -> None:
    """Of 23 names 3; that one is missed by 100 commits has a chance of (20/23)^100 = 1e-6."""
    assert len(tenth_of(NAMES, "a")) == 3
    assert tenth_of(NAMES, "a") == tenth_of(NAMES[::-1], "a") != tenth_of(NAMES, "b")
    assert set().union(*(tenth_of(NAMES, str(n)) for n in range(100))) == set(NAMES)
    assert tenth_of([], "a") == set()
