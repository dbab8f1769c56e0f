"""`track`: the record of what was sealed, in one signed file, and what a third party finds in it."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import structs

from engine.errors import IntegrityError, UsageError
from engine.files import read_parquet, write_bytes
from engine.records import record
from engine.records.champion import CHAMPION_FILE, ChampionHistory
from engine.records.seal import SEAL, Seal, read_seal, seal_places
from engine.records.shadow import ShadowLedger, ShadowRow
from engine.records.track import (
    AnyItem,
    Fill,
    Look,
    Reign,
    SealedSignal,
    Standing,
    TrackFile,
    file_bytes,
)
from engine.runs.trials import count_trials, read_looks
from engine.signals.models import code_digest
from engine.signals.track import Chain, TrackKey, continues, faults, read_track, signed
from engine.stages.context import Outcome, StageContext, waiting_lock

_UNPROVEN = (
    "not proven: that anything was sealed at the time it says (the clock was the maker's own, unless this "
    "file or its key was published then), that nothing was left out before the first export or after the "
    "last entry, or that the maker has no second record"
)


def track(
    context: StageContext,
    *,
    action: str,
    file: str | None = None,
    output: str | None = None,
    earlier: str | None = None,
    key: str | None = None,
) -> Outcome:
    """``export`` the signed file, or ``verify`` one, for which no workspace is needed (exit code 4: altered).

    ``earlier``: a file of before, which this one has to continue. ``key``: the public key that has to have
    signed it.
    """
    if action == "export":
        if output is None:
            raise UsageError("track export: where to?", hint="--output FILE")
        return _export(context, Path(output))
    if file is None:
        raise UsageError("track verify: which file?", hint="`atft-tui track verify FILE`")
    return _verify(Path(file), earlier, key)


def _export(context: StageContext, path: Path) -> Outcome:
    folder, signals = context.workspace / "track", context.workspace / "signals"
    with waiting_lock(context, signals):
        seals = [read_seal(place.directory) for place in seal_places(signals)]
        broken = [seal for seal in seals if seal.standing != "sealed"]
        items = list(_items(context, [seal for seal in seals if seal.standing == "sealed"]))
        entries = Chain(folder / "chain.jsonl").extend(items)
    signer = TrackKey.find(folder)
    made = context.now().isoformat(timespec="seconds")
    write_bytes(path, file_bytes(signed(entries, signer, made)), listed=False)
    there = {item.name for item in items if isinstance(item, SealedSignal)}
    told = [item for entry in entries if isinstance(item := entry.read(), SealedSignal)]
    gone = sorted({item.name for item in told} - there - {seal.word for seal in broken})
    answer = {
        "file": str(path),
        "entries": len(entries),
        "signals": len({item.name for item in told}),
        "gone": gone,
        "damaged": [seal.name for seal in broken],
        "head": entries[-1].hash,
        "public_key": signer.public,
    }
    lines = [
        f"{path}: {len(entries)} entries, {answer['signals']} sealed signals",
        f"head {entries[-1].hash}",
        f"public key {signer.public}: publish it, and the head, where others see when",
    ]
    lines += [f"note: {name} was sealed and is no longer here" for name in gone]
    lines += [f"note: {seal.name} is damaged ({seal.trouble}): not added" for seal in broken]
    return Outcome(json=answer, text="\n".join(lines))


def _items(context: StageContext, seals: Sequence[Seal]) -> Iterator[AnyItem]:
    """Everything that the workspace knows, the oldest of each kind first; the standing last."""
    workspace = context.workspace
    history = record.read_if_there(workspace / CHAMPION_FILE, ChampionHistory) or ChampionHistory()
    yield from (Reign(entry=entry) for entry in history.history)
    yield from map(_sealed, seals)
    looks = read_looks(context.store.root)
    yield from (Look(look=look) for look in looks)
    ledger = record.read_if_there(workspace / "signals" / "ledger.json", ShadowLedger)
    if ledger is not None:
        rows = read_parquet(workspace / "signals" / "ledger.parquet").to_dicts()
        yield from (Fill(row=record.convert(row, ShadowRow, "ledger.parquet")) for row in rows)
        ledger = structs.replace(ledger, running={})
    yield Standing(
        at=context.now().isoformat(timespec="seconds"),
        trials=count_trials(context.store),
        looks=len(looks),
        signals=len(seals),
        code=code_digest(),
        ledger=ledger,
    )


def _sealed(seal: Seal) -> SealedSignal:
    manifest, at = seal.manifest, (seal.directory / SEAL).stat().st_mtime
    return SealedSignal(
        session=seal.session,
        revision=seal.revision,
        reason=manifest.reason,
        seal=seal.digest,
        model=manifest.model,
        data=manifest.data,
        code=manifest.code,
        verdict=seal.card().verdict,
        sealed_at=dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="seconds"),
    )


def _verify(path: Path, earlier: str | None, key: str | None) -> Outcome:
    found, content = read_track(path)
    told = faults(found, content)
    if key is not None and key.lower() != found.header.public_key:
        told.append("signed by another key than the one that was asked for")
    if earlier is not None:
        before, its_content = read_track(Path(earlier))
        told += [f"{earlier}: {fault}" for fault in faults(before, its_content)]
        told += continues(found, before)
        if before.header.public_key != found.header.public_key:
            told.append(f"{earlier} is signed by another key")
    answer = {
        "file": str(path),
        "entries": len(found.entries),
        "head": found.header.head,
        "public_key": found.header.public_key,
        "made": found.header.made,
        "faults": told,
        "not_proven": _UNPROVEN,
    }
    state = "ALTERED" if told else "every entry is what was signed"
    lines = [f"{path}: {state}", *told, *_contents(found), _UNPROVEN]
    code = IntegrityError.exit_code if told else 0
    return Outcome(json=answer, text="\n".join(lines), exit_code=code)


def _contents(found: TrackFile) -> list[str]:
    """What the file holds in words; items of a later version are counted as entries only."""
    items: list[AnyItem] = []
    for entry in found.entries:
        try:
            items.append(entry.read())
        except record.RecordError:
            continue  # it is hashed and signed all the same
    kinds = Counter(type(item).__name__ for item in items)
    signals = [item for item in items if isinstance(item, SealedSignal)]
    header = found.header
    lines = [f"{header.entries} entries, made {header.made}, public key {header.public_key}"]
    if signals:
        verdicts = Counter(item.verdict for item in signals)
        told = ", ".join(f"{n} {verdict}" for verdict, n in sorted(verdicts.items()))
        lines.append(
            f"{len(signals)} sealed signals ({told}), {min(s.session for s in signals)} to "
            f"{max(s.session for s in signals)}, sealed {min(s.sealed_at for s in signals)} to "
            f"{max(s.sealed_at for s in signals)}"
        )
    standing = next((item for item in reversed(items) if isinstance(item, Standing)), None)
    if standing is not None:
        lines.append(
            f"{kinds['Reign']} promotions and refusals, {standing.looks} looks, "
            f"{standing.trials} variants tried, {kinds['Fill']} rows of the shadow ledger"
        )
    return lines
