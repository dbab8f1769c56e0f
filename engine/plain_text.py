"""Text from outside made plain before a terminal sees it: shown, never obeyed."""

import re

_UNSAFE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|[\x00-\x1f\x7f-\x9f]"
    r"|[\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ud800-\udfff]"
    r"|[\U000e0000-\U000e0fff]"
)


def clean(text: str) -> str:
    """Without terminal escapes, control characters, direction overrides and what has no width.

    Invisible characters are where a terminal and a program disagree about the width of a line; lone
    surrogates cannot be written to a terminal at all.
    """
    return _UNSAFE.sub(" ", text)


def clean_lines(text: str) -> str:
    """Cleaned, with its line feeds kept, but one at the end.

    Nothing else breaks a line: a name with U+2028 or a lone carriage return in it is no line of its own.
    """
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    return "\n".join(map(clean, lines))
