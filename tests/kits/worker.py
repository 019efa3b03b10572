"""A worker of pytest-xdist, in a process that `forked_programs` has forked for it."""

import atexit
import sys

try:
    # As execnet has it: the first line of the input is a string with the program.
    exec(eval(sys.stdin.readline()))  # noqa: S102, S307
finally:
    atexit._run_exitfuncs()  # a forked process ends without
