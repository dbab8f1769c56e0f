"""Which program made something."""

import hashlib
from importlib import metadata
from pathlib import Path

import engine


def code_digest() -> dict[str, str]:
    """Version and digest of the program's source: engine and strategies."""
    root = Path(engine.__file__).parents[1]
    total = hashlib.sha256()
    for path in sorted(p for part in ("engine", "strategies") for p in (root / part).rglob("*.py")):
        total.update(str(path.relative_to(root)).encode())
        total.update(path.read_bytes())
    return {"version": metadata.version("atft-tui"), "sha256": total.hexdigest()[:16]}
