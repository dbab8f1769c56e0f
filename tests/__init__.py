"""The limits of threads come first of all: numpy reads them when it is imported, as in the program.

With more of them ridge's last bits are others than those of a process of its own.
"""

from engine.runs.launch import limit_threads

limit_threads(safe=True)
