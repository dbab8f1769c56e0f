"""Text from outside made plain: shown, never obeyed; and names as people read them."""

import re

_UNSAFE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|[\x00-\x1f\x7f-\x9f]"
    r"|[\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ud800-\udfff]"
    r"|[\U000e0000-\U000e0fff]"
)
_REFERENCE = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_DIRECTION = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


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


def readable(text: str) -> str:
    """``Art&#39;s-Way`` -> ``Art's-Way``: character references resolved once, no control characters.

    Only references that are whole: `html.unescape` finds ``&REG`` in ``S&REGAL`` and makes another name.
    Control characters and line breaks become a space, marks that turn the direction of writing go.
    """
    meant = _REFERENCE.sub(_resolved, text)
    return _DIRECTION.sub("", _CONTROL.sub(" ", meant)).strip()


def _resolved(reference: re.Match[str]) -> str:
    # Here, not above: its table takes 5 ms of the start of every screen, which resolves nothing.
    import html
    from html.entities import html5

    name = reference[0][1:]
    return html.unescape(reference[0]) if name[0] == "#" or name in html5 else reference[0]
