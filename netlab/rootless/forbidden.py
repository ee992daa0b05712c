"""Why a user cannot have a world on this machine, in one line that says what to try."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from netlab.errors import EnvironmentProblem

_REFUSED = frozenset({errno.EPERM, errno.EACCES})
_USED_UP = frozenset({errno.ENOSPC, errno.EUSERS})  # EUSERS until Linux 4.8

_ACTIONS = {
    "user": "make a user namespace",
    "net": "make a network namespace",
    "mnt": "make a mount namespace",
    "run": "mount a /run of its own",
    "lo": "bring up a loopback of its own",
    "full": "let one more command into the user's labs",
    "join": "enter the namespaces of the user's labs",
}
"""What was tried, by the name of the step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A kernel setting that can forbid a step.

    Attributes:
        name: as ``sysctl`` knows it.
        forbidding: the value that forbids; None where it is a limit, which any number can be.
        allowing: what to set it to.
        steps: where it strikes.
        errors: with which errno.
    """

    name: str
    forbidding: str | None = None
    allowing: str
    steps: frozenset[str]
    errors: frozenset[int]


def _limit(kind: str) -> Setting:
    return Setting(
        name=f"user.max_{kind}_namespaces", allowing="10000", steps=frozenset({kind}), errors=_USED_UP
    )


SETTINGS = (
    Setting(  # Debian 10 and kernels with its patch
        name="kernel.unprivileged_userns_clone",
        forbidding="0",
        allowing="1",
        steps=frozenset({"user"}),
        errors=_REFUSED,
    ),
    Setting(  # Ubuntu from 23.10 on: the namespace is made, and then its root may do nothing
        name="kernel.apparmor_restrict_unprivileged_userns",
        forbidding="1",
        allowing="0",
        steps=frozenset({"user", "net", "mnt", "run", "lo", "join"}),
        errors=_REFUSED,
    ),
    *map(_limit, ("user", "net", "mnt")),
)
"""The first that fits is the one that forbids."""


class WorldForbidden(EnvironmentProblem):
    """The machine does not let a user be root of namespaces of their own.

    Attributes:
        step: what was refused, see :data:`_ACTIONS`.
        number: the errno with which it was.
        setting: the kernel setting that is to blame, if it is known.
    """

    def __init__(self, step: str, number: int, *, setting: Setting | None) -> None:
        self.step = step
        self.number = number
        self.setting = setting
        super().__init__(step, number, setting)

    def __str__(self) -> str:
        action = _ACTIONS[self.step]
        if self.setting is None:
            return f"no root, and no way here to {action} ({os.strerror(self.number)}): try sudo"
        to_blame = f"{self.setting.name}={self.setting.forbidding} forbids to {action}"
        if self.setting.forbidding is None:
            to_blame = f"{self.setting.name} is too low to {action}"
        change = f"sudo sysctl -w {self.setting.name}={self.setting.allowing}"
        return f"no root, and {to_blame}: try sudo, or `{change}`"


class DockerNeedsRoot(EnvironmentProblem):
    """Containers belong to the machine's root, and so do their networks."""

    def __str__(self) -> str:
        return (
            "the docker backend needs root, to wire containers' networks: try sudo, or --backend namespaces"
        )


def _value_of(setting: str) -> str | None:
    """What the kernel has; None where it does not know the setting."""
    try:
        return Path("/proc/sys", *setting.split(".")).read_text(encoding="ascii").strip()
    except OSError:
        return None


def explain(step: str, number: int, *, value_of: Callable[[str], str | None] = _value_of) -> WorldForbidden:
    """The error for a step that failed with an errno."""
    fitting = (
        setting
        for setting in SETTINGS
        if step in setting.steps and number in setting.errors
        if setting.forbidding is None or setting.forbidding == value_of(setting.name)
    )
    return WorldForbidden(step, number, setting=next(fitting, None))
