"""The container recipe of docs/operate.md, built as a folder and run without Docker."""

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.practice import Workspace, serve
from tests.loop.program import MANIFEST

ROOT = Path(__file__).resolve().parents[2]
HOOK = """
import os, sys

def watch(event, args):
    if event == "open" and isinstance(args[0], (str, bytes)) and (
        args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC)
    ):
        path = os.path.realpath(os.fsdecode(args[0]))
    elif event in ("os.mkdir", "os.remove", "os.rmdir", "os.rename", "os.symlink", "sqlite3.connect"):
        path = os.path.realpath(os.fsdecode(args[0] or ""))
    else:
        return
    if not path.startswith(tuple(os.environ["MAY_WRITE"].split(":"))):
        os.write(2, f"WROTE {event} {path}\\n".encode())

sys.addaudithook(watch)
"""
"""Loaded first by each Python process of the container: it tells of every write outside of the allowed folders."""
CONTAINED = """
set -e
app=$1 data=$2 scratch=$3 user=$4 group=$5; shift 5
mount --make-rprivate /
for folder in "$app" "$data" "$scratch"; do mount --bind "$folder" "$folder"; done
mount -o remount,bind,ro /
mount -o remount,bind,ro "$app"
cd "$app"
exec unshare --user --map-user="$user" --map-group="$group" -- setpriv --no-new-privs "$@"
"""
"""Runs a command as another user, without a right, on a read-only file system: by namespaces, as containers do."""

pytestmark = [pytest.mark.program, pytest.mark.timeout(110)]


@dataclass
class Recipe:
    """The instructions of a Containerfile."""

    copies: list[list[str]] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    """The other instructions: name → the rest of the line."""

    @classmethod
    def read(cls) -> "Recipe":
        (text,) = re.findall(r"```dockerfile\n(.*?)```", (ROOT / "docs/operate.md").read_text("utf-8"), re.DOTALL)
        recipe = cls()
        for line in text.splitlines():
            name, _, rest = line.partition(" ")
            if name == "COPY":
                recipe.copies.append(rest.split())
            elif name == "RUN":
                recipe.runs.append(rest)
            elif name == "ENV":
                recipe.env |= dict(pair.split("=", 1) for pair in shlex.split(rest))
            else:
                recipe.said[name] = rest
        return recipe

    def build(self, app: Path) -> None:
        """Copy what is declared, as far as git knows it, and take all rights to write away."""
        tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for *sources, target in self.copies:
            for source in sources:
                for name in tracked.splitlines():
                    if name == source or name.startswith(f"{source}/"):
                        to = app / target / name if target.endswith("/") else app / name.replace(source, target, 1)
                        to.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copyfile(ROOT / name, to)
        for path in [*app.rglob("*"), app]:
            path.chmod(0o555 if path.is_dir() else 0o444)


def contained(app: Path, data: Path, scratch: Path, user: str) -> list[str]:
    """Return the beginning of a command that runs the rest as in a container.

    The test is skipped only where the machine has no namespaces or forbids them.
    """
    own = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", CONTAINED, "sh"]
    prefix = [*own, *map(str, (app, data, scratch)), *user.split(":")]
    if sys.platform != "linux" or not all(map(shutil.which, ("unshare", "setpriv"))):
        pytest.skip("namespaces need Linux with util-linux")
    asked = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "true"], check=False)
    if asked.returncode:
        pytest.skip("this machine forbids namespaces")
    subprocess.run([*prefix, "true"], check=True)
    return prefix


def proc(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text("utf-8")


def assert_contained(pid: int, user: str) -> None:
    """Check, from outside, who a process is and what it may do."""
    for kind, wanted in zip(("uid_map", "gid_map"), user.split(":"), strict=True):
        assert proc(pid, kind).split()[0] == wanted
    status = dict(re.findall(r"(\w+):\t(.*)", proc(pid, "status")))
    assert (int(status["CapEff"], 16), int(status["CapPrm"], 16), status["NoNewPrivs"]) == (0, 0, "1")
    (root,) = [line.split() for line in proc(pid, "mountinfo").splitlines() if line.split()[4] == "/"][-1:]
    assert root[5].split(",")[0] == "ro"


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_recipe_gives_no_rights() -> None:
    recipe = Recipe.read()
    user, _, group = recipe.said["USER"].partition(":")
    assert int(user) >= 1_000
    assert int(group) >= 1_000
    assert recipe.said["VOLUME"] == "/data"
    assert recipe.said["STOPSIGNAL"] == "SIGTERM"
    assert any("--require-hashes" in run for run in recipe.runs)
    assert {source for *sources, _ in recipe.copies for source in sources} == {
        *(".ci/run.txt", "pyproject.toml", "manifest.yml"),
        *("bot", "handlers", "storage", "prompts"),
    }
    assert recipe.env["DATABASE_URL"].startswith("sqlite:////data/")


def test_hook_tells_of_writes_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
    env = {"PYTHONPATH": str(tmp_path), "MAY_WRITE": str(tmp_path / "allowed"), "PYTHONDONTWRITEBYTECODE": "1"}
    code = "import os; os.mkdir('allowed'); open('allowed/a', 'w').close(); open('b', 'w').close(); os.mkdir('c')"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert [line.split()[1] for line in ran.stderr.splitlines() if line.startswith("WROTE")] == [
        "open",
        "os.mkdir",
    ]


async def test_container_runs_read_only_and_stops(tmp_path: Path) -> None:
    recipe, app, data, scratch, hook = Recipe.read(), *(tmp_path / name for name in ("app", "data", "tmp", "hook"))
    for folder in (app, data, scratch, hook):
        folder.mkdir()
    recipe.build(app)
    (hook / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
    prefix = contained(app, data, scratch, recipe.said["USER"])
    async with serve(Workspace(MANIFEST)) as server:
        places = {"/tmp": str(scratch)}  # noqa: S108 - the recipe's own
        env = {name: places.get(value, value).replace("/data/", f"{data}/") for name, value in recipe.env.items()}
        env |= {
            "PATH": os.defpath,
            "PYTHONPATH": str(hook),
            "TMPDIR": str(scratch),
            "MAY_WRITE": f"{data}:{scratch}:/dev/",
            "BOT_HTTP_PORT": str(free_port()),
            "BOT_HTTP_HOST": "127.0.0.1",
            "BOT_ENCODER": "none",
            "SLACK_BOT_TOKEN": server.bot_token,
            "SLACK_APP_TOKEN": server.app_token,
            "SLACK_API_URL": server.api_url,
        }
        before = contents(app)
        command = [sys.executable, *json.loads(recipe.said["ENTRYPOINT"])[1:], *json.loads(recipe.said["CMD"])]
        health = [sys.executable, *json.loads(recipe.said["HEALTHCHECK"].removeprefix("CMD "))[1:]]
        process = await asyncio.create_subprocess_exec(
            *prefix, *command, env=env, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        try:
            while not server.workspace.sockets.connected:
                assert process.returncode is None
                await asyncio.sleep(0.05)
            assert_contained(process.pid, recipe.said["USER"])
            checked = await asyncio.create_subprocess_exec(*prefix, *health, env=env)
            assert await checked.wait() == 0
            process.send_signal(signal.SIGTERM)
            _, said = await asyncio.wait_for(process.communicate(), 60)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode == 0, said.decode()[-2000:]
    assert [line for line in said.decode().splitlines() if line.startswith("WROTE")] == []
    assert contents(app) == before
    assert {path.name for path in data.iterdir()} >= {"madoguchi.db"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in data.iterdir())
    for path in [app, *app.rglob("*")]:
        path.chmod(0o755)  # so that pytest can remove it
