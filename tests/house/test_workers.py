"""Workers of pytest-xdist are forked from a process that has loaded the tests."""

import subprocess
import sys
from pathlib import Path

from bot.settings import ROOT

LOADING = """
import sys
from tests.kits.forked_programs import load_tests
for folder in ("failing", "skipping", "whole"):
    load_tests([f"tests/{folder}"])
    print(folder, sum(name.startswith(f"tests.{folder}.") for name in sys.modules))
"""
MODULES = {"failing": "import no_such_module", "skipping": "import pytest; pytest.skip(allow_module_level=True)"}


def test_incomplete_module_is_not_handed_on(tmp_path: Path) -> None:
    (tmp_path / "pytest.toml").write_text('[pytest]\naddopts = ["--import-mode=importlib", "-p", "no:randomly"]\n')
    for folder in ("failing", "skipping", "whole"):
        (tmp_path / "tests" / folder).mkdir(parents=True)
        (tmp_path / "tests" / folder / "test_first.py").write_text("def test_one() -> None: ...\n")
        (tmp_path / "tests" / folder / "test_last.py").write_text(MODULES.get(folder, ""))
    command, environment = [sys.executable, "-c", LOADING], {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines() == ["failing 0", "skipping 0", "whole 2"], done.stderr
