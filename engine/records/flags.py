"""Bits of the column ``flags`` of the cleaned bars: what happened to a row that was kept."""

ZERO_OPEN, HIGH_BELOW_LOW, RANGE, SPLIT, FROZEN, VENDOR_SPLIT = 1, 2, 4, 8, 16, 32
BREAK, DIVIDEND, PROCEEDS, ACTION, DOUBTED, NO_DIVIDEND = 64, 128, 256, 512, 1024, 2048
"""SPLIT: inferred from the bars. VENDOR_SPLIT: by the source's factor. ACTION: split or spin-off of the
user's table. BREAK: the price jumped and nothing explains it; the scale goes on without the jump. DIVIDEND:
ex-date. PROCEEDS: no trading, the cash that a share was paid in the end. DOUBTED: the source's factor makes
the jump larger, it was not applied. NO_DIVIDEND: a dividend that is negative or not below the price, not
applied."""
FLAG_NAMES = {
    ZERO_OPEN: "zero_open",
    HIGH_BELOW_LOW: "high_below_low",
    RANGE: "range",
    SPLIT: "split",
    FROZEN: "frozen",
    VENDOR_SPLIT: "vendor_split",
    BREAK: "break",
    DIVIDEND: "dividend",
    PROCEEDS: "proceeds",
    ACTION: "action",
    DOUBTED: "doubted",
    NO_DIVIDEND: "no_dividend",
}
EVENTS = SPLIT | VENDOR_SPLIT | BREAK | DIVIDEND | PROCEEDS | ACTION
"""What happened to the shares, apart from the quality of a row."""
