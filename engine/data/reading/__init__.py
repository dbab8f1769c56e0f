"""Tables of other people: look (`finding`, `text`, `dialect`, `sheets`), plan (`names`, `layouts`), read.

`bars` reads price tables, `tables` the others. Nothing is guessed in silence: what was decided, and by
whom, is in the `engine.records.reading.ReadingPlan` that comes with each table.
"""
