"""What an export left, and where."""

from msgspec import Struct


class Exported(Struct, frozen=True, kw_only=True):
    """The answer of every export, whatever it is for."""

    target: str
    """mlflow, tensorboard, alphalens ..."""
    place: str
    """The folder, file or tracking address that holds it."""
    files: tuple[str, ...] = ()
    """Paths that were written, empty where a server keeps them."""
    counts: dict[str, int] = {}
    """What it holds, e.g. metrics or rows -> how many."""
    notes: tuple[str, ...] = ()
    """What is missing there or means something else than here, one clause each."""

    @property
    def text(self) -> str:
        """What a person reads: the place, the counts and the notes."""
        counted = ", ".join(f"{n:,} {name}" for name, n in self.counts.items())
        lines = [f"{self.target}: {self.place}" + (f" ({counted})" if counted else "")]
        return "\n".join([*lines, *self.files, *(f"note: {note}" for note in self.notes)])
