#!/usr/bin/env python3
"""Becomes a command, with what a shell may leave it: started.py HOW ... -- COMMAND ...

  stopped-by-interrupt   SIGINT does what the command makes of it, however the tests were started
  interrupt-ignored      SIGINT is ignored, as for a script's commands in the background
  nobody-reads           standard output is a pipe that is full
"""

import os
import signal
import sys


def fill(pipe):
    """Writes until not one byte more has room."""
    os.set_blocking(pipe, False)
    for size in (4096, 1):
        try:
            while True:
                os.write(pipe, b" " * size)
        except BlockingIOError:
            pass
    os.set_blocking(pipe, True)


def main():
    split = sys.argv.index("--")
    how, command = sys.argv[1:split], sys.argv[split + 1:]
    ignored = "interrupt-ignored" in how
    signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.SIG_DFL)
    if "nobody-reads" in how:
        fill(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
