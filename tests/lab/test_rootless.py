"""Labs of a user who is not root: the same commands, in a world that is gone when nobody needs it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from netlab.rootless.holder import is_inside
from tests.lab.requirements import stop_for_want_of
from tests.lab.traces import traces_of, wait_until

pytestmark = pytest.mark.lab

PROJECT = Path(__file__).parents[2]
PAIR = 'two_nats(profile("open"), profile("symmetric"))'

HOLDS_A_LAB = f"""
import signal
from netlab import Lab, profile, two_nats
with Lab({PAIR}, prove=False, name="held"):
    print("READY", flush=True)
    signal.pause()
"""

ALLOWED_ONE_NAMESPACE = """
echo 1 > /proc/sys/user/max_user_namespaces
exec unshare --user --map-user=1000 --map-group=1000 "$@"
"""
"""For `unshare --map-root-user sh -c`: a user who has used up the one user namespace that there may be."""


def made_readable(*needed: Path) -> str:
    """Shell lines for a mount namespace of its own: they show those folders to a user who may not reach them.

    A Python in root's home is the usual case. What hides them is covered, and they alone appear in its place.
    """
    hiding = {}
    for path in needed:
        closed = [folder for folder in (path, *path.parents) if not folder.stat().st_mode & 0o001]
        if closed:
            hiding[path] = closed[-1]
    lines = ["set -e"]
    for number, path in enumerate(hiding):
        lines += [f"exec {number + 3}< {shlex.quote(str(path))}"]
    lines += [f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(str(top))}" for top in set(hiding.values())]
    for number, path in enumerate(hiding):
        quoted = shlex.quote(str(path))
        lines += [f"mkdir -p {quoted}", f"mount --no-canonicalize --bind /proc/self/fd/{number + 3} {quoted}"]
        lines += [f"exec {number + 3}<&-"]
    return "\n".join(lines)


class User:
    """Somebody without rights and without a name, on this machine."""

    def __init__(self, uid: int) -> None:
        self.uid = uid
        self.world = Path(f"/tmp/netlab-{uid}")
        base = Path(sys.base_prefix).resolve()
        script = f'{made_readable(base, Path(sys.prefix), PROJECT)}\nexec "$@"'
        who = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
        has = ["env", "-i", "PATH=/usr/bin:/bin", "HOME=/nonexistent", f"PYTHONPATH={PROJECT}"]
        self._as_user = ["unshare", "--mount", "sh", "-c", script, "sh", *who, *has]

    def start(self, *argv: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*self._as_user, *argv], stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=PROJECT
        )

    def run(self, *argv: str, text: str = "") -> subprocess.CompletedProcess[str]:
        with self.start(*argv) as process:
            out, err = process.communicate(text, timeout=60)
        return subprocess.CompletedProcess(argv, process.returncode, out, err)

    def netlab(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "netlab", *arguments, text=text)

    def processes(self) -> dict[int, str]:
        """What runs for this user, by process number; what has ended and waits for init does not count."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if (
                    folder.stat().st_uid == self.uid
                    or f"Uid:\t{self.uid}\t" in (folder / "status").read_text()
                ):
                    found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
            except (FileNotFoundError, ProcessLookupError):
                continue
        return {pid: command for pid, command in found.items() if command}

    def holders(self) -> list[int]:
        return [pid for pid, command in self.processes().items() if "rootless/holder.py" in command]

    def has_left_nothing(self) -> bool:
        return wait_until(lambda: not self.processes() and not self.world.exists())


@pytest.fixture
def user() -> Iterator[User]:
    if is_inside():
        stop_for_want_of(
            "only the machine's root can become a user without rights; this is a user's own world"
        )
    user = User(60000 + os.getpid() % 5000)  # of no account, and another one in each run of the tests
    assert user.processes() == {}
    yield user
    for pid in user.processes():
        os.kill(pid, signal.SIGKILL)


def test_a_user_without_root_builds_proves_uses_shows_and_removes_a_lab(user: User) -> None:
    up = user.netlab("up", "--profiles", "symmetric", "port-restricted", "--rtt", "10ms", "--json")
    assert up.returncode == 0, up.stderr
    described = json.loads(up.stdout)
    assert [proof["profile"] for proof in described["proofs"]] == ["symmetric", "port-restricted"]
    lab = described["name"]

    ping = user.netlab("exec", "elsa", "--", "ping", "-c", "3", "-i", "0.05", "198.51.100.10")
    assert ping.returncode == 0, ping.stderr
    assert float(ping.stdout.rpartition("= ")[2].split("/")[0]) >= 10, "milliseconds, at the least"
    done = user.netlab("exec", "elsa", "--", "sh", "-c", "cat; echo there >&2; exit 7", text="here")
    assert (done.returncode, done.stdout, done.stderr) == (7, "here", "there\n")
    assert "src=192.168.1.10" in user.netlab("exec", "nat-elsa", "--", "conntrack", "-L").stdout

    labs = json.loads(user.netlab("status", "--json").stdout)["labs"]
    assert [known["name"] for known in labs] == [lab]
    assert traces_of(lab) == [], "nothing of it is among root's labs"
    assert (user.world / "labs" / lab).stat().st_uid == user.uid, "the logs are the user's, outside as well"

    down = user.netlab("down")
    assert (down.returncode, down.stdout) == (0, f"took down {lab}\n")
    assert user.has_left_nothing(), user.processes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-C", "SIGTERM"])
def test_an_interrupt_while_coming_up_leaves_nothing_behind(user: User, number: signal.Signals) -> None:
    with user.start(sys.executable, "-m", "netlab", "up", "--name", "cut", "--rtt", "10ms") as process:
        assert wait_until(lambda: (user.world / "labs" / "nl-cut.json").exists())
        process.send_signal(number)
        _, complaint = process.communicate(timeout=30)
    assert (process.returncode, complaint.strip()) == (130, "netlab: interrupted")
    assert user.has_left_nothing(), user.processes()


def test_a_lab_whose_holder_was_killed_is_found_and_removed(user: User) -> None:
    assert user.netlab("up", "--rtt", "10ms", "--name", "lost").returncode == 0
    (holder,) = user.holders()
    os.kill(holder, signal.SIGKILL)
    assert wait_until(lambda: not user.holders())
    assert user.processes(), "the delay line does not notice"
    clean = user.netlab("clean")
    assert clean.returncode == 0, clean.stderr
    assert clean.stderr.startswith("nl-lost had lost its namespaces")
    assert user.has_left_nothing(), user.processes()


def test_what_a_killed_command_left_is_cleaned_by_the_next(user: User) -> None:
    with user.start(sys.executable, "-m", "netlab.rootless", "python", "-c", HOLDS_A_LAB) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "READY\n"
        assert user.netlab("clean").stderr == "nl-held is in use by a living process; --force removes it\n"
        process.kill()
    assert len(user.holders()) == 1, "for as long as there is a lab"
    assert user.netlab("clean").stdout == "took down nl-held\n"
    assert user.has_left_nothing(), user.processes()


def test_commands_that_come_at_once_meet_in_one_world(user: User) -> None:
    say = ["sh", "-c", "readlink /proc/self/ns/user; id -u; read end; exit 9"]
    visits = [user.start(sys.executable, "-m", "netlab.rootless", *say) for _ in range(4)]
    seen = set()
    for visit in visits:
        assert visit.stdout is not None
        seen.add(visit.stdout.readline())
        assert visit.stdout.readline() == "0\n"
    assert len(seen) == 1
    assert len(user.holders()) == 1
    for visit in visits:
        with visit:
            visit.communicate("end\n", timeout=10)
        assert visit.returncode == 9
    assert user.has_left_nothing(), user.processes()


def test_a_program_of_ones_own_is_told_how_to_be_root(user: User) -> None:
    done = user.run(sys.executable, "-c", f"from netlab import Lab, profile, two_nats\nLab({PAIR}).up()")
    assert done.stderr.endswith("try sudo, or `netlab rootless -- PROGRAM`\n")
    refused = user.netlab("prove", "open", "--backend", "docker")
    assert (refused.returncode, refused.stderr.count("\n")) == (3, 1)
    assert "the docker backend needs root" in refused.stderr
    assert user.has_left_nothing(), user.processes()


def test_where_user_namespaces_are_forbidden_one_line_says_by_what(user: User) -> None:
    nested = ["unshare", "--map-root-user", "sh", "-c", ALLOWED_ONE_NAMESPACE, "sh"]
    done = user.run(*nested, "env", f"NETLAB_WORLD={user.world}", sys.executable, "-m", "netlab", "up")
    to_blame = "user.max_user_namespaces is too low to make a user namespace"
    change = "sudo sysctl -w user.max_user_namespaces=10000"
    line = f"netlab: no root, and {to_blame}: try sudo, or `{change}`\n"
    assert (done.returncode, done.stdout, done.stderr) == (3, "", line)
    assert user.has_left_nothing(), user.processes()
