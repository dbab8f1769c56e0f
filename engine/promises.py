"""Promises that code of a user has to keep, and what a trial of them found."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from engine.errors import EngineError


class BrokenPromiseError(AssertionError):
    """A promise that is not kept; its text says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseCheck:
    """Whether one promise is kept, and how it was broken."""

    name: str
    passed: bool
    detail: str


def tried(promises: Iterable[tuple[str, Callable[[], None]]]) -> list[PromiseCheck]:
    """Every promise by its name, tried; never raises for a broken one."""
    done = []
    for name, promise in promises:
        detail = ""
        try:
            promise()
        except (BrokenPromiseError, EngineError) as error:
            detail = str(error)
        done.append(PromiseCheck(name=name, passed=not detail, detail=detail))
    return done
