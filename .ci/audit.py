"""Audit the dependencies: `python .ci/audit.py`, or `make audit`.

The licence of each locked package is checked against those that a company may use without publishing its own code.
Known vulnerabilities are asked for at OSV (osv.dev) by `uv audit`. Without an answer that half is left out, and said so.
"""

import re
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, files, metadata
from pathlib import Path

LOCKS = (Path(".ci/run.txt"), Path(".ci/dev.txt"))
PIN = re.compile(r"^([\w.-]+)(?:\[[^\]]*\])?==(\S+)((?: ;[^\\\n]+)?)", re.MULTILINE)
ALLOWED = re.compile(
    r"\b(0BSD|Apache|BSD|CC0|ISC|MIT|MIT-CMU|Python Software Foundation|PSF|Unlicense|Zlib|MPL|Mozilla|LGPL)\b",
    re.IGNORECASE,
)
"""Permissive licences, and those that ask only for changes of their own files (MPL, LGPL)."""
REFUSED = re.compile(r"(?<![Ll])A?GPL|SSPL|BUSL|Commons.Clause|NonCommercial|Proprietary", re.IGNORECASE)
SECONDS = 120


def licence_of(package: str) -> str:
    """Return what an installed package says of its licence, at least in its file. Raises PackageNotFoundError."""
    told = metadata(package)
    classified = [line.rpartition(" :: ")[2] for line in told.get_all("Classifier") or [] if line.startswith("License")]
    named = told["License-Expression"] or " / ".join(classified) or (told["License"] or "").partition("\n")[0]
    return named or title_of_licence(package, told["License-File"]) or "none"


def title_of_licence(package: str, name: str | None) -> str:
    """Return the first line of a package's licence file; "" if there is no such file."""
    found = [file for file in files(package) or [] if name and file.match(f"*.dist-info/**/{name}")]
    return found[0].read_text().strip().partition("\n")[0] if found else ""


def check_licences(pins: list[tuple[str, str, str]]) -> bool:
    """Print the count of each licence and each package whose licence is not allowed; return whether there is none."""
    counts: dict[str, int] = {}
    refused = []
    for package, _version, _marker in pins:
        try:
            licence = licence_of(package)
        except PackageNotFoundError:  # only for another system
            continue
        counts[licence] = counts.get(licence, 0) + 1
        if REFUSED.search(licence) or not ALLOWED.search(licence):
            refused.append(f"{package}: {licence}")
    for licence, count in sorted(counts.items(), key=lambda one: -one[1]):
        print(f"{count:4}  {licence}")
    for line in refused:
        print(f"!!    {line}")
    print(f"licences: {sum(counts.values())} packages, {len(refused)} to look at")
    return not refused


def check_vulnerabilities(pins: list[tuple[str, str, str]], uv: tuple[str, ...]) -> bool:
    """Print the known vulnerabilities of these versions; return False if there is one."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = ",\n".join(f'  "{package}=={version}{marker.strip()}"' for package, version, marker in pins)
        Path(folder, "pyproject.toml").write_text(
            f'[project]\nname = "audited"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = [\n{wanted}\n]\n',
            encoding="utf-8",
        )
        try:
            done = subprocess.run(
                [*uv, "audit", "--project", folder], capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            done = None
    if done is None or "error:" in done.stderr:
        print("vulnerabilities: not checked, because no service answered")
        return True
    print(done.stdout.strip() or done.stderr.strip())
    return done.returncode == 0


if __name__ == "__main__":
    locked = sorted({pin for lock in LOCKS for pin in PIN.findall(lock.read_text(encoding="utf-8"))})
    well = check_licences(locked)
    well &= check_vulnerabilities(locked, (sys.executable, "-m", "uv"))
    sys.exit(0 if well else 1)
