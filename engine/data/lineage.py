"""Which finished result can be extended: one made by the same settings from a beginning of the same days."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.files import MANIFEST, digest, read_manifest

_KEPT = 5
"""Ancestors that stay on disk; they share all but their newest blocks with what extends them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """By which settings, and from which sessions, a result is made."""

    settings: str
    """Digest of everything but the data that decides the values."""
    chain: Sequence[str]
    """One hash a raw session, see `engine.data.months`; empty for data that are not in a store."""
    panel: str
    """Fingerprint of the panel."""

    @property
    def fingerprint(self) -> str:
        """Name of the result's directory."""
        return digest([self.settings, self.panel])

    def fields(self) -> dict[str, object]:
        """What the result's manifest has to say to be found again."""
        return {
            "fingerprint": self.fingerprint,
            "settings": self.settings,
            "raw_sessions": len(self.chain),
            "chain_end": self.chain[-1] if self.chain else "",
        }

    def parents(self, root: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Results under ``root`` that saw the beginning of these days and nothing else, longest first."""
        found = []
        for path in root.glob(f"*/{MANIFEST}"):
            manifest = read_manifest(path.parent, verify=False)
            seen = manifest.get("raw_sessions", 0)
            if (
                0 < seen < len(self.chain)
                and manifest.get("settings") == self.settings
                and manifest.get("chain_end") == self.chain[seen - 1]
            ):
                found.append((seen, path.parent, manifest))
        found.sort(key=lambda item: (-item[0], item[1].name))
        for _, directory, manifest in found:
            yield directory, manifest

    def prune(self, root: Path) -> None:
        """Remove all but the newest ancestors: whatever they hold is in their successor too."""
        for directory, _ in list(self.parents(root))[_KEPT:]:
            shutil.rmtree(directory)
