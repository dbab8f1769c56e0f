"""What an account holds, in the codes of the store; a line that it does not know is never dropped."""

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from engine.data.aliases import Matches, match_codes, nearest
from engine.data.labels import readable
from engine.errors import UsageError
from engine.records.orders import CASH, Positions
from engine.signals.position_file import HeldLine, PositionFile

_SHOWN = 8
_NEAREST = 20
"""Unknown codes whose nearest known ones are looked for; each takes 10 ms among 4,000 codes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a file of positions says, in the codes of the store."""

    positions: Positions
    """Of the lines whose stock is known."""
    lines: int
    """Lines of stocks in the file."""
    notes: tuple[str, ...]
    """Whole clauses on what was matched, summed and left out."""
    missing: Mapping[str, str]
    """Code as the file spells it -> why it is no stock of the store, with the nearest codes."""


def account_of(
    file: PositionFile, *, known: Collection[str], market: str, currency: str, cash: float | None
) -> Account:
    """The file's lines matched to ``known`` codes and summed.

    ``market``: exchange or country of the store (`match_codes`). ``cash`` goes before the file's.
    UsageError without any cash, and where two spellings in one account are one stock.
    """
    money = file.cash if cash is None else cash
    if money is None:
        raise UsageError(
            f"{file.name}: no row {CASH}",
            hint=f"give the cash with --cash AMOUNT, or add a line like `{CASH},1000000`",
        )
    held = [line for line in file.lines if line.shares]
    foreign = {line.code: line.currency for line in held if _foreign(line.currency, currency)}
    matches = match_codes(
        dict.fromkeys(line.code for line in file.lines if line.code not in foreign),
        known,
        market=market,
    )
    lines: dict[str, list[HeldLine]] = defaultdict(list)
    for line in file.lines:
        if line.code in matches.found:
            lines[matches.found[line.code]].append(line)
    notes = [*file.notes, *_respelt(matches), *_summed(file.name, lines)]
    if cash is not None and file.cash is not None and cash != file.cash:
        notes.append(f"cash is {cash:,.2f} as the command says, not {file.cash:,.2f}")
    shares = {code: math.fsum(line.shares for line in lines[code]) for code in sorted(lines)}
    missing = _missing(matches, [line.code for line in held], known)
    missing |= {code: f"held in {theirs}, not {currency}" for code, theirs in foreign.items()}
    return Account(
        positions=Positions(shares=shares, cash=money),
        lines=len(file.lines),
        notes=tuple(notes),
        missing=missing,
    )


def _foreign(theirs: str, ours: str) -> bool:
    """Whether a line is in another currency; only where both are said by three capital letters."""
    both = (theirs.upper(), ours.upper())
    return theirs != "" and both[0] != both[1] and all(len(c) == 3 and c.isascii() for c in both)


def _missing(matches: Matches, held: Sequence[str], known: Collection[str]) -> dict[str, str]:
    """Why each held code is none of the store's. A code of no shares is nothing to lose."""
    wanted = set(held)
    found = {
        code: f"several stocks: {', '.join(codes[:_SHOWN])}"
        for code, codes in matches.unsure.items()
        if code in wanted
    }
    unknown = [code for code in matches.unknown if code in wanted]
    for code in unknown:
        close = nearest(code, known) if len(found) < _NEAREST else []
        found[code] = f"{' or '.join(close)}?" if close else "nothing like it is known"
    return found


def _respelt(matches: Matches) -> list[str]:
    pairs = [f"{readable(theirs)} is {ours}" for theirs, ours in matches.respelt.items()]
    if not pairs:
        return []
    more = f" and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
    return [f"codes spelt otherwise: {', '.join(pairs[:_SHOWN])}{more}"]


def _summed(name: str, lines: Mapping[str, Sequence[HeldLine]]) -> list[str]:
    """Says which stocks stand on several lines; refuses two spellings that no account tells apart."""
    several = {code: found for code, found in lines.items() if len(found) > 1}
    for code, found in several.items():
        spellings, accounts = {line.code for line in found}, {line.account for line in found}
        if len(spellings) > 1 and len(accounts) < len(found):
            places = ", ".join(f"{readable(line.code)} in line {line.line}" for line in found)
            raise UsageError(
                f"{name}: {places} are all {code}",
                hint="write one spelling if they are one stock, else correct the other code",
            )
    if not several:
        return []
    texts = [
        f"{code} {math.fsum(line.shares for line in found):g} of {len(found)} lines"
        for code, found in several.items()
    ]
    accounts = {line.account for found in several.values() for line in found if line.account}
    where = f" of {len(accounts)} accounts" if len(accounts) > 1 else ""
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return [f"several lines of one stock{where} summed: {', '.join(texts[:_SHOWN])}{more}"]
