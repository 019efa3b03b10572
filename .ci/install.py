"""Install a lock file with pip and show each package: `python .ci/install.py .ci/run.txt`.

pip alone would either name package indexes or show nothing. It is also silent while it unpacks, for up to a minute.
"""

import re
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

PIP = (sys.executable, "-u", "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off")
PACKAGES = Path(sysconfig.get_path("purelib"))
COLLECTING = re.compile(r"\s*Collecting ([\w.-]+)(?:\[.*?\])?==(\S+)")
LOCAL_WHEEL = re.compile(r"\s*Processing (?:\S*/)?([\w.]+)-([^-\s]+)-\S+\.whl")
LOOK_SECONDS = 0.2


class Progress:
    """One line for each step; on a terminal, a line replaces the one before it."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._before = installed()
        self._shown = set(self._before)

    def show(self, text: str) -> None:
        sys.stdout.write(f"\r\033[K  {text}" if self._terminal else f"  {text}\n")
        sys.stdout.flush()

    def read(self, line: str) -> None:
        """Show the step that a line of pip's output reports, if any."""
        if found := COLLECTING.match(line) or LOCAL_WHEEL.match(line):
            self.show(f"fetching {found[1].replace('_', '-')} {found[2]}")
        elif found := re.match(r"\s*Building wheel for (\S+)", line):
            self.show(f"building {found[1]}")
        elif line.startswith("WARNING: Retrying"):
            self.show("the package index does not answer; trying again")

    def look(self) -> None:
        """Show the packages that pip has installed since the last look."""
        for name, version in sorted(installed() - self._shown):
            self._shown.add((name, version))
            self.show(f"installed {name} {version}")

    def end(self) -> None:
        """Leave the number of installed packages as the last line."""
        self.show(f"{len(self._shown - self._before)} packages installed")
        if self._terminal:
            sys.stdout.write("\n")


def installed() -> set[tuple[str, str]]:
    """Return the name and version of each package; of a package's files, pip writes INSTALLER late."""
    folders = [file.parent.name.removesuffix(".dist-info") for file in PACKAGES.glob("*.dist-info/INSTALLER")]
    return {(name.replace("_", "-"), version) for name, _, version in (folder.partition("-") for folder in folders)}


def complaint(output: str) -> str:
    """Return pip's error messages, or else the end of its output, without addresses."""
    lines = output.splitlines()
    start = next((number for number, line in enumerate(lines) if line.startswith("ERROR")), -20)
    return re.sub(r"\w+://[^\s'\")]+|(?<=host=')[^']*", "…", "\n".join(lines[start:]))


def main(lock: str) -> int:
    """Install the lock file and return pip's exit code."""
    progress = Progress()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "pip.txt"
        with log.open("w") as output, log.open(encoding="utf-8", errors="replace") as lines:
            pip = subprocess.Popen([*PIP, "--require-hashes", "-r", lock], stdout=output, stderr=subprocess.STDOUT)
            rest, ended = "", False
            while not ended:
                ended = pip.poll() is not None
                *whole, rest = (rest + lines.read()).split("\n")
                for line in whole:
                    progress.read(line)
                progress.look()
                if not ended:
                    time.sleep(LOOK_SECONDS)
        progress.end()
        if pip.returncode:
            sys.stderr.write(complaint(log.read_text(encoding="utf-8", errors="replace")) + "\n")
    return pip.returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except KeyboardInterrupt:
        sys.exit(130)
