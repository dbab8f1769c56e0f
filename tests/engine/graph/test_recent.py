"""What is kept within so many bytes, against the whole history of what was asked for."""

from hypothesis import given
from hypothesis import strategies as st

from engine.graph.graph import Recent


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(1, 12))
def test_the_longest_unused_go_first(asked: list[int], limit: int) -> None:
    """Key k is a value of k + 1 bytes: every answer is right, and what is made anew had to go before."""
    made: list[int] = []
    kept: list[int] = []

    def make(key: int) -> str:
        made.append(key)
        return "x" * (key + 1)

    recent = Recent[int, str](limit, len)
    for key in asked:
        before = len(made)
        assert recent.get(key, lambda key=key: make(key)) == "x" * (key + 1)  # type: ignore[misc]
        assert (len(made) > before) == (key not in kept)
        kept = [k for k in kept if k != key] + [key]
        while sum(k + 1 for k in kept) > limit and len(kept) > 1:
            kept.pop(0)
        assert recent.held == sum(k + 1 for k in kept)
