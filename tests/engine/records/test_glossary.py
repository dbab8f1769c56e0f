"""Definitions: found where a figure's name stands, linked once, never inside another word."""

from hypothesis import given
from hypothesis import strategies as st

from engine.records.glossary import GLOSSARY, anchor_of, linked, terms_in


def test_terms_are_found_by_hand() -> None:
    assert terms_in("net Sharpe +0.4, rankic ~+0.01 inside the null band; Sharpe again") == (
        "Sharpe", "RankIC", "null band",
    )  # fmt: skip
    assert terms_in("live RankIC") == ("live RankIC",), "the longest name counts"
    assert terms_in("deciles and looks") == ("decile", "look")
    assert terms_in("panic overlooked a scaffold") == ()


def test_only_the_first_mention_is_a_link() -> None:
    assert linked("beta and beta") == '<a href="#term-beta">beta</a> and beta'
    assert linked("Graph&#39;s") == "Graph&#39;s"


@given(st.text(alphabet="abcRankIC Sharpe<>&;\"'", max_size=60))
def test_a_link_takes_no_word_away(text: str) -> None:
    """Without the tags it is the text again."""
    import re

    escaped = text.replace("<", "&lt;").replace(">", "&gt;")
    assert re.sub(r"</?a[^>]*>", "", linked(escaped)) == escaped


def test_every_anchor_is_its_own() -> None:
    assert len({anchor_of(name) for name in GLOSSARY}) == len(GLOSSARY)
    assert anchor_of("graph's worth") == "graph-s-worth"
