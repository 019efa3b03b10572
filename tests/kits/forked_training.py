"""Training workers that start in milliseconds: a process that has loaded the learner forks one for each job.

Loading scikit-learn takes more than a second of a processor, which is most of a small job. Instead of
`python -m bot.embedded.train FOLDER` the runner starts this file as a client, with a socket and the
folder. The client hands its standard input and output to the forked worker, so pipes, kills and exit codes stay real.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STANDARD_STREAMS = 2


def run_client(address: str, folder: str) -> int:
    """Have a forked worker train in the folder; return its exit code, 1 where it was killed."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [folder.encode()], [0, 1])
        code = connection.recv(1)
    return code[0] if code else 1


def serve(address: str) -> None:
    """Load the learner once, then fork a worker for each client until the process is killed."""
    from bot.embedded import learner, train  # noqa: F401 - the learner is what takes long to load

    signal.signal(signal.SIGCHLD, _reap)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                code = 1
                try:
                    code = _train(connection)
                finally:
                    connection.send(bytes([code]))
                    os._exit(code)
            connection.close()


def _end_with_client(connection: socket.socket) -> None:
    """End this worker when its client was killed, as the program that the client stands for would have ended."""
    connection.recv(1)
    os._exit(1)


def _reap(_signal: int, _frame: object) -> None:
    """Wait for workers that have ended, so that their processor time is counted."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _train(connection: socket.socket) -> int:
    from bot.embedded import train

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    folder, streams, _, _ = socket.recv_fds(connection, 4096, STANDARD_STREAMS)
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    sys.stdin, sys.stdout = os.fdopen(0, "r"), os.fdopen(1, "w")
    threading.Thread(target=_end_with_client, args=[connection], daemon=True).start()
    try:
        train.main(Path(folder.decode()))
    except SystemExit as ended:
        return int(ended.code or 0)
    finally:
        sys.stdout.flush()
    return 0


@contextmanager
def forked_training(folder: Path) -> Iterator[tuple[str, ...]]:
    """Run the forking process; yield the command that stands for `python -m bot.embedded.train`."""
    address = str(folder / "training.sock")
    environment = {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, __file__, address], env=environment)
    try:
        while not Path(address).exists() and process.poll() is None:
            time.sleep(0.02)
        yield (sys.executable, "-S", "-E", __file__, address)
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    if len(sys.argv) > STANDARD_STREAMS:
        sys.exit(run_client(*sys.argv[1:3]))
    serve(sys.argv[1])
