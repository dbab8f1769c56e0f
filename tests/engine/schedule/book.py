"""What a test reads in the book: alerts, errands and notes, newest first, from the open database."""

from collections import Counter

from engine.records.agenda import BookedAlert, BookedErrand
from engine.records.database import Database


def alerts(database: Database) -> tuple[BookedAlert, ...]:
    return database.records(
        BookedAlert, "SELECT * FROM alerts ORDER BY created_at DESC, key, channel"
    )


def counts(database: Database) -> Counter[str]:
    """Alerts in each state."""
    return Counter(alert.state for alert in alerts(database))


def errands(database: Database) -> tuple[BookedErrand, ...]:
    return database.records(BookedErrand, "SELECT * FROM errands ORDER BY next_at DESC")


def notes(database: Database) -> list[str]:
    return [str(row["text"]) for row in database.rows("SELECT text FROM notes ORDER BY id DESC")]
