"""Labs without root, as far as it goes without leaving this process's own namespaces."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from netlab import tools
from netlab.errors import NotPermitted
from netlab.rootless import command, holder, world
from netlab.rootless.command import LabCommand
from netlab.rootless.forbidden import SETTINGS, DockerNeedsRoot, explain
from netlab.rootless.world import UnsafeFolder, opened_folder, path_of_root, world_folder

CLONE = "kernel.unprivileged_userns_clone"
APPARMOR = "kernel.apparmor_restrict_unprivileged_userns"


@pytest.mark.parametrize(
    ("step", "number", "settings", "to_blame", "change"),
    [
        ("user", errno.EPERM, {CLONE: "0"}, f"{CLONE}=0 forbids to make a user namespace", f"{CLONE}=1"),
        (
            "run",
            errno.EACCES,
            {CLONE: "1", APPARMOR: "1"},
            f"{APPARMOR}=1 forbids to mount a /run of its own",
            f"{APPARMOR}=0",
        ),
        (
            "net",
            errno.ENOSPC,
            {"user.max_net_namespaces": "0"},
            "user.max_net_namespaces is too low to make a network namespace",
            "user.max_net_namespaces=10000",
        ),
    ],
    ids=["Debian", "Ubuntu", "limit"],
)
def test_the_setting_that_forbids_a_world_is_named(
    step: str, number: int, settings: dict[str, str], to_blame: str, change: str
) -> None:
    line = f"no root, and {to_blame}: try sudo, or `sudo sysctl -w {change}`"
    assert str(explain(step, number, value_of=settings.get)) == line


@pytest.mark.parametrize(
    ("step", "number", "reason"),
    [
        ("user", errno.EPERM, "make a user namespace (Operation not permitted)"),
        ("full", errno.EMFILE, "let one more command into the user's labs (Too many open files)"),
    ],
)
def test_where_no_setting_is_to_blame_the_kernels_words_are_told(step: str, number: int, reason: str) -> None:
    allowed = {CLONE: "1", APPARMOR: "0"}
    line = f"no root, and no way here to {reason}: try sudo"
    assert str(explain(step, number, value_of=allowed.get)) == line


def test_no_step_of_making_a_world_goes_without_words() -> None:
    for step in {step for setting in SETTINGS for step in setting.steps}:
        assert "\n" not in str(explain(step, errno.EINVAL, value_of=lambda _: None))


def test_a_library_call_without_root_names_both_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NotPermitted, match="try sudo, or `netlab rootless -- PROGRAM`"):
        tools.require_root()


def test_root_stays_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    before = os.readlink("/proc/self/ns/user")
    assert world.enter() == ()
    assert os.readlink("/proc/self/ns/user") == before


def test_the_world_has_one_folder_a_user_or_the_one_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    monkeypatch.delenv("NETLAB_WORLD", raising=False)
    assert world_folder() == Path("/tmp/netlab-1234")
    monkeypatch.setenv("NETLAB_WORLD", "/elsewhere")
    assert world_folder() == Path("/elsewhere")


def test_a_missing_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    for _ in range(2):
        with opened_folder(tmp_path / "world") as folder:
            assert os.fstat(folder).st_ino == (tmp_path / "world").stat().st_ino
            assert os.fstat(folder).st_mode & 0o777 == 0o700


def test_a_folder_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o710)
    with (
        pytest.raises(UnsafeFolder, match=r"is open to others \(mode 710\): remove it"),
        opened_folder(tmp_path),
    ):
        pass


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = os.geteuid()
    tmp_path.chmod(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(UnsafeFolder, match=f"belongs to user {owner}"), opened_folder(tmp_path):
        pass


def test_a_link_to_a_folder_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("ours")
    (tmp_path / "file").touch(mode=0o600)
    for name in ("link", "file"):
        with pytest.raises(UnsafeFolder, match="cannot be used"), opened_folder(tmp_path / name):
            pass


def test_a_users_path_gets_what_roots_has_beyond_it() -> None:
    assert path_of_root("/usr/bin:/bin") == "/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
    assert path_of_root("/sbin:/bin") == "/sbin:/bin:/usr/local/sbin:/usr/sbin"


@click.command(cls=LabCommand)
@click.option("--backend", default="namespaces")
def anything(backend: str) -> None:
    click.echo(backend)


def test_help_and_wrong_usage_need_no_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "enter", lambda: pytest.fail("the world was entered"))
    assert CliRunner().invoke(anything, ["--help"]).exit_code == 0
    assert CliRunner().invoke(anything, ["--no-such-option"]).exit_code == 2


def test_labs_that_were_lost_are_told_before_the_command_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "enter", lambda: ("nl-1",))
    done = CliRunner().invoke(anything, [])
    assert done.stdout == "namespaces\n"
    assert done.stderr == "nl-1 had lost its namespaces; what was left of it is removed\n"


def test_only_root_itself_has_docker_labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "enter", lambda: ())
    monkeypatch.setattr(holder, "MARK", tmp_path / "mark")
    assert CliRunner().invoke(anything, ["--backend", "docker"]).exit_code == 0
    holder.MARK.touch()
    done = CliRunner().invoke(anything, ["--backend", "docker"])
    assert isinstance(done.exception, DockerNeedsRoot)
    assert str(done.exception).startswith("the docker backend needs root")
