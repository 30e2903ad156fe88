#!/usr/bin/env python3
"""Runs a command at a terminal of its own and answers its questions: QUESTION ANSWER ... -- COMMAND ...

Each question is waited for in the order given; what was said goes to standard output. The exit code is the command's.
"""

import os
import pty
import select
import signal
import sys

# A command that says nothing for so many seconds hangs.
PATIENCE = 120


def main():
    split = sys.argv.index("--")
    told, command = sys.argv[1:split], sys.argv[split + 1:]
    answers = list(zip(told[::2], told[1::2]))
    child, terminal = pty.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execv(command[0], command)
    said, fresh = b"", b""
    while True:
        ready, _, _ = select.select([terminal], [], [], PATIENCE)
        if not ready:
            os.kill(child, 9)
            break
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        if not data:
            break
        said, fresh = said + data, fresh + data
        if answers and answers[0][0].encode() in fresh:
            answer = answers.pop(0)[1]
            # Ctrl-C is a key, not a line.
            os.write(terminal, answer.encode() + (b"" if answer == "\x03" else b"\n"))
            fresh = b""
    _, status = os.waitpid(child, 0)
    sys.stdout.write(said.decode(errors="replace"))
    sys.exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 99)


if __name__ == "__main__":
    main()
