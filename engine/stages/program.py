"""Which program made something."""

import hashlib
from importlib import metadata
from pathlib import Path

import engine
from engine.hashes import sha256
from engine.signals.models import Model


def code_digest(model: Model | None = None) -> dict[str, str]:
    """Version and digest of the program's source, engine and strategies; place and hash of each of the
    user's modules that a package of models holds a copy of.
    """
    root = Path(engine.__file__).parents[1]
    total = hashlib.sha256()
    for path in sorted(p for part in ("engine", "strategies") for p in (root / part).rglob("*.py")):
        total.update(str(path.relative_to(root)).encode())
        total.update(path.read_bytes())
    copies = sorted(model.directory.glob("*.py")) if model else ()
    own = {f"models/{path.name}": sha256(path) for path in copies}
    return {"version": metadata.version("atft-tui"), "sha256": total.hexdigest()[:16], **own}
