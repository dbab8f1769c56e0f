"""``atft-tui``: with arguments the command line, without any the cockpit.

``--read-only``: a cockpit to look on; ``serve``: one in a browser.
"""

import gc
import sys


def main() -> int:
    from engine.errors import EngineError, refuse_windows

    try:
        refuse_windows()
    except EngineError as error:
        sys.stderr.write(f"error: {error.message}\nhint: {error.hint}\n")
        return error.exit_code
    if sys.argv[1:2] == ["serve"]:
        from atft_tui.serve import main as serve

        return serve(sys.argv[2:])
    arguments = [word for word in sys.argv[1:] if word != "--read-only"]
    opens_screen = not arguments or (arguments[0] == "--workspace" and len(arguments) == 2)
    if not opens_screen:
        from engine.cli import main as command_line
        from engine.secrets import redact_tracebacks

        redact_tracebacks()
        return command_line()
    from engine.plain_text import clean_lines
    from engine.workspace import resolve_workspace

    try:
        workspace = resolve_workspace(arguments[1] if arguments else None)
    except EngineError as error:
        sys.stderr.write(f"error: {clean_lines(error.message)}\n")
        return error.exit_code
    gc.disable()  # on again once a place stands: 50 ms of the start went into garbage that is none
    from atft_tui.app import run

    return run(workspace, read_only=len(arguments) < len(sys.argv) - 1)


if __name__ == "__main__":
    sys.exit(main())
