"""Which of the slow tests run: a part of them, or besides the fast ones a tenth that changes with the commit.

Both by name alone, so that every process of a run chooses the same tests.
"""

from collections.abc import Sequence
from hashlib import sha256

SHARE = 10


def part_of(names: Sequence[str], part: str) -> set[str]:
    """Of ``K/N`` every N-th name from the K-th on: neighbours, which cost alike, go to different parts."""
    number, _, count = part.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise ValueError(f"--slow-part {part}: K/N with K from 1 to N is needed, as in 1/4")
    return set(sorted(names)[int(number) - 1 :: int(count)])


def tenth_of(names: Sequence[str], commit: str) -> set[str]:
    """One name of ten, at least one, drawn by the commit."""

    def draw(name: str) -> bytes:
        return sha256(f"{commit} {name}".encode()).digest()

    return set(sorted(names, key=draw)[: -(-len(names) // SHARE)])
