"""Some stocks of a dense panel, in another order."""

from typing import Any

import numpy as np

from engine.data.panel import DensePanel


def test_taken_rows_are_those_asked_for_and_the_rest_is_let_go() -> None:
    names = ("open", "high", "low", "close", "close_raw", "volume", "turnover")
    tables: dict[str, Any] = {
        f"{name}_NS": 100.0 * number + np.arange(6.0).reshape(3, 2)
        for number, name in enumerate(names)
    }
    whole = DensePanel(
        dates_S=np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]"),
        symbols=("A", "B", "C"),
        sector_N=np.array([4, 5, 6], dtype=np.int16),
        sectors=(),
        index_close_S=None,
        bars_before_N=np.array([7, 8, 9]),
        proceeds_NS=np.array([[True, False], [False, False], [False, True]]),
        **tables,
    )
    taken = whole.take(np.array([2, 0]))
    assert taken.symbols == ("C", "A")
    assert taken.sector_N.tolist() == [6, 4]
    assert taken.bars_before_N.tolist() == [9, 7]
    assert taken.close_NS.tolist() == [[304.0, 305.0], [300.0, 301.0]]
    for name, table_NS in tables.items():
        assert np.array_equal(getattr(taken, name), table_NS[[2, 0]])
        assert getattr(whole, name).size == 0
    assert taken.proceeds_NS is not None
    assert taken.proceeds_NS.tolist() == [[False, True], [True, False]]
    assert taken.reinvested_NS is None
