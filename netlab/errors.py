"""Every exception that netlab raises on purpose.

::

    LabError
    +-- UsageProblem                 what was asked for makes no sense
    |   +-- UnknownProfile           no such NAT profile; the nearest name is said
    |   +-- BadTopology              a description that no lab can be built from
    |   +-- UnsupportedBehavior      a behaviour that the rules cannot make
    |   +-- BadLabName               a name that a lab cannot have
    |   +-- NameTaken                a lab of that name is there already
    |   +-- LabNotFound              no such lab, or no way to tell which one
    |   +-- NodeNotFound             no such node in that lab; the nearest name is said
    +-- EnvironmentProblem           this machine cannot run labs as it is
    |   +-- NotPermitted             not root
    |   +-- MissingTool              a program is not installed; its Debian package is said
    +-- ToolFailed                   ip, iptables or another tool refused
    +-- ProcessFailed                a program in a node ended or went silent when it should not have
    +-- MislabelledNat               a NAT does not do what its profile claims

Docker's own stand beside their causes in ``netlab/docker``: EngineUnreachable and ImageUnavailable are
EnvironmentProblems, EngineRefused is a LabError.

Fields come first and the text is built from them: one line that says what to try. The tree has its own root
because netlab shares no code with what it tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from netlab.nearest import guess


class LabError(Exception):
    """Root of everything that netlab raises on purpose."""


class UsageProblem(LabError):
    """What was asked for makes no sense."""


class EnvironmentProblem(LabError):
    """This machine cannot run labs as it is."""


class UnknownProfile(UsageProblem):
    """There is no NAT profile of that name.

    Attributes:
        name: what was asked for.
        known: the names that there are.
    """

    def __init__(self, name: str, *, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(name, self.known)

    def __str__(self) -> str:
        hint = guess(self.name, self.known, otherwise="`netlab profiles` lists them")
        return f"unknown NAT profile {self.name!r}: {hint}"


class BadTopology(UsageProblem):
    """A topology that no lab can be built from; the text says which part contradicts which."""


class UnsupportedBehavior(UsageProblem):
    """A NAT behaviour for which there are no exact rules; the text says which part of it."""


class BadLabName(UsageProblem):
    """A name that a lab cannot have, because files and namespaces are named after it."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)

    def __str__(self) -> str:
        return f"lab name: got {self.name[:64]!r}, expected up to 32 lower-case letters, digits and hyphens"


class NameTaken(UsageProblem):
    """A lab of the wanted name exists already."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)

    def __str__(self) -> str:
        return f"a lab named {self.name} is there already: try `netlab down {self.name}`"


class LabNotFound(UsageProblem):
    """No lab of that name is running, or none was named and there is not exactly one.

    Attributes:
        name: what was asked for, or None.
        running: the names of the labs that are running.
    """

    def __init__(self, name: str | None, *, running: Iterable[str]) -> None:
        self.name = name
        self.running = tuple(running)
        super().__init__(name, self.running)

    def __str__(self) -> str:
        if not self.running:
            return "no lab is running: start one with `netlab up`"
        names = ", ".join(self.running)
        if self.name is None:
            return f"{len(self.running)} labs are running, name one of them: {names}"
        return f"no lab {self.name!r} is running, there are: {names}"


class NodeNotFound(UsageProblem):
    """A lab has no node of that name, or none of the kind that was asked for.

    Attributes:
        name: what was asked for.
        known: what there is of the kind.
        kind: a node, a router, or an interface with its node's name before it.
    """

    def __init__(self, name: str, *, known: Iterable[str], kind: str = "node") -> None:
        self.name = name
        self.known = tuple(known)
        self.kind = kind
        super().__init__(name, self.known, kind)

    def __str__(self) -> str:
        meant = get_close_matches(self.name[:64], self.known, n=1)
        hint = f"; did you mean {meant[0]}?" if meant else ""
        return f"no {self.kind} {self.name!r} in this lab, there are: {', '.join(self.known) or 'none'}{hint}"


class NotPermitted(EnvironmentProblem):
    """Making network namespaces needs root; the command line becomes it in a namespace of the user's own."""

    def __str__(self) -> str:
        return "netlab needs root to make network namespaces: try sudo, or `netlab rootless -- PROGRAM`"


class MissingTool(EnvironmentProblem):
    """A program that the lab needs is not installed.

    Attributes:
        tool: the program.
        package: the Debian package that has it.
    """

    def __init__(self, tool: str, *, package: str) -> None:
        self.tool = tool
        self.package = package
        super().__init__(tool, package)

    def __str__(self) -> str:
        return f"{self.tool} is not installed: try `apt-get install {self.package}`"


class ToolFailed(LabError):
    """A system tool refused what the lab asked of it.

    Attributes:
        argv: the command.
        returncode: its exit code.
        complaint: what it wrote on stderr.
    """

    def __init__(self, argv: Sequence[str], *, returncode: int, complaint: str) -> None:
        self.argv = tuple(argv)
        self.returncode = returncode
        self.complaint = complaint
        super().__init__(self.argv, returncode, complaint)

    def __str__(self) -> str:
        said = " / ".join(line for line in self.complaint.splitlines() if line.strip()) or "nothing"
        return f"`{' '.join(self.argv)}` failed with exit code {self.returncode}, saying: {said[:500]}"


class ProcessFailed(LabError):
    """A program in a node did not do what the lab waited for.

    Attributes:
        program: what it is.
        expected: what was waited for.
        got: what happened instead.
    """

    def __init__(self, program: str, *, expected: str, got: str) -> None:
        self.program = program
        self.expected = expected
        self.got = got
        super().__init__(program, expected, got)

    def __str__(self) -> str:
        return f"{self.program}: got {self.got}, expected {self.expected}"


class MislabelledNat(LabError):
    """A NAT does not do what its profile claims; the lab must not be used.

    Attributes:
        nat: the node.
        profile: the profile that it was built from.
        claimed: the properties that differ, as the profile has them.
        measured: the same properties, as the probe saw them.
    """

    def __init__(self, nat: str, profile: str, *, claimed: dict[str, str], measured: dict[str, str]) -> None:
        self.nat = nat
        self.profile = profile
        self.claimed = claimed
        self.measured = measured
        super().__init__(nat, profile, claimed, measured)

    def __str__(self) -> str:
        parts = [f"{name}: got {self.measured[name]}, expected {self.claimed[name]}" for name in self.claimed]
        return f"{self.nat} is not {self.profile}: {'; '.join(parts)}"
