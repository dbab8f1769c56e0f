"""What the container installs, with hashes: pip's report on stdin, the name of the file to write as argument.

It lies beside this file, and ``torch.txt``, for the one package that comes from another index.
"""

import json
import sys
from pathlib import Path

OURS, OTHER = "atft-tui", "torch"
HEAD = "# Made by `make requirements` from constraints.txt, for Python 3.11 on linux/amd64.\n"


def main() -> None:
    """Read pip's report and write both files."""
    lines: dict[str, list[str]] = {sys.argv[1]: [], "torch.txt": []}
    for package in json.load(sys.stdin)["install"]:
        name, version = (package["metadata"][key] for key in ("name", "version"))
        if name == OURS:
            continue
        digest = package["download_info"]["archive_info"]["hashes"]["sha256"]
        file = "torch.txt" if name == OTHER else sys.argv[1]
        lines[file].append(f"{name}=={version} --hash=sha256:{digest}\n")
    for file, found in lines.items():
        Path(__file__).with_name(file).write_text(HEAD + "".join(sorted(found, key=str.lower)))


if __name__ == "__main__":
    main()
