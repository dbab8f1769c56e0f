"""How every benchmark is started: sizes as options, and `--smoke` for the smallest that runs every line."""

import argparse
import sys


def read_options(
    description: str | None,
    arguments: list[str] | None,
    *,
    parser: argparse.ArgumentParser | None = None,
    **sizes: tuple[float, float],
) -> argparse.Namespace:
    """What was asked for: each size by its name, and `smoke`.

    ``sizes`` are pairs: the size that is measured, and the one that only shows that the benchmark still
    runs (`--smoke`). A size that is named on the command line counts in both. ``arguments`` is None for
    those of the process; ``parser`` already has whatever else the benchmark takes.
    """
    parser = parser or argparse.ArgumentParser()
    parser.description = description
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--smoke", action="store_true", help="the smallest size that runs all")
    for name, (full, _) in sizes.items():
        parser.add_argument(f"--{name}", type=type(full), help=f"{full} by default")
    read = parser.parse_args(arguments)
    for name, (full, small) in sizes.items():
        if getattr(read, name) is None:
            setattr(read, name, small if read.smoke else full)
    return read


def say(line: str) -> None:
    """One line for whoever waits."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
