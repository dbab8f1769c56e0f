"""Compiled rolling kernels, one stock's row at a time; `engine.features.rolling` is their front door.

A ``.._row`` kernel fills ``out_WS`` from a row and several windows, and may be called from other compiled
code that works stock by stock; a ``.._rows`` kernel runs it over all rows on all threads. Results go into
arrays that numpy allocates: it asks for large pages, and a result costs more in page faults than in sums.

Each pair is written out: a helper that makes the one from the other would close over it, and numba never
finds a closure over a kernel in its cache again, so every process would compile anew.

numba's cache looks at the file of the outermost function only: after a change to `anchor` or to a ``.._row``
kernel that another file calls, delete ``__pycache__/*.nb*`` here and beside the caller.
"""
