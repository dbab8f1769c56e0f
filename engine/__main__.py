"""``python -m engine``: the command line without the screen."""

import sys

from engine.cli import main
from engine.secrets import redact_tracebacks

if __name__ == "__main__":
    redact_tracebacks()
    sys.exit(main())
