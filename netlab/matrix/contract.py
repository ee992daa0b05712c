"""A program that the matrix can run, as its TOML file describes it.

How to start both sides is all that the matrix knows of a program. docs/matrix.md is the reference; for
example::

    name = "punch"
    timeout = 5.0                      # seconds for one attempt, also {timeout} and NETLAB_TIMEOUT

    [[server]]                         # any number, on the public host
    argv = ["punch-server", "{server}"]
    ready = "listening"                # wait for this regular expression on its output

    [callee]
    argv = ["{python}", "{folder}/punch.py", "--wait"]
    ready = "registered"

    [caller]
    argv = ["{python}", "{folder}/punch.py", "--call", "{peer}"]

The reading is strict: what is not known or has the wrong type is an error that names the file and the key, so
that a misspelt key never silently means its default.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from netlab.backends import BACKEND_NAMES
from netlab.complaint import one_line, shortened
from netlab.errors import EnvironmentProblem, UsageProblem
from netlab.nearest import guess
from netlab.toml_file import BadToml, read_toml, shown

PROGRAMS = Path(__file__).parent / "programs"
"""Where the contracts are that come with the lab."""

PLACEHOLDERS = (
    "artefacts",
    "folder",
    "id",
    "peer",
    "python",
    "role",
    "rtt",
    "server",
    "server2",
    "timeout",
)
"""What ``{...}`` in an argument may be."""

MAX_TIMEOUT = 600.0
"""Seconds for one attempt; a matrix of 256 pairs would take days with more."""

MAX_SERVERS = 8
MAX_ARGUMENTS = 64
MAX_FILE_SIZE = 65536
"""Bytes; a contract has one page."""

_MAX_COMPLAINT = 400
"""Characters; the longest that is said of words of usual length has half of that."""

DEFAULT_TIMEOUT = 5.0
"""Seconds: three losses of a STUN request (RFC 8489: 0.5 s, then doubled) still leave time for a fourth."""

_PLACEHOLDER = re.compile(r"\{([a-z]\w*)\}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")

T = TypeVar("T")


class BadContract(UsageProblem):
    """A contract that cannot be read.

    Attributes:
        file: which.
        problem: what is wrong, with the key.
    """

    def __init__(self, file: Path | str, problem: str) -> None:
        self.file = file
        self.problem = problem
        super().__init__(file, problem)

    def __str__(self) -> str:
        return f"{self.file}: {shortened(one_line(self.problem), _MAX_COMPLAINT)}"


class UnknownProgram(UsageProblem):
    """There is neither a program of that name nor a file.

    Attributes:
        name: what was asked for.
        known: the names that there are.
    """

    def __init__(self, name: str, *, known: Sequence[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(name, self.known)

    def __str__(self) -> str:
        otherwise = f"expected {', '.join(self.known)} or the path of a TOML file"
        return f"unknown program {self.name!r}: {guess(self.name, self.known, otherwise=otherwise)}"


class ProgramUnavailable(EnvironmentProblem):
    """A program cannot run here; the text says what it lacks and what to try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How one program is started.

    Attributes:
        argv: with placeholders.
        ready: a regular expression for the line that says that the next program may start; None for none.
        ready_on: whose output that line is on: its own, or the first server's.
        ends: whether it is left to end by itself after a direct path, for it has something to tell.
    """

    argv: tuple[str, ...]
    ready: str | None = None
    ready_on: str = "self"
    ends: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A program.

    Attributes:
        file: where this was read.
        name: for tables and folders.
        description: one line.
        timeout: seconds that it may take for an attempt.
        servers: run on the public host, started in this order.
        callee: anna's side, started second.
        caller: elsa's side, started last; the report on its output counts.
        direct_codes: exit codes of a caller that has a direct path, and of no other.
        modules: Python modules that it needs in this Python.
        backends: where it can run: all, unless its contract names fewer.
    """

    file: Path
    name: str
    description: str = ""
    timeout: float = DEFAULT_TIMEOUT
    servers: tuple[Command, ...] = ()
    callee: Command
    caller: Command
    direct_codes: tuple[int, ...] = (0,)
    modules: tuple[str, ...] = ()
    backends: tuple[str, ...] = BACKEND_NAMES

    @property
    def places(self) -> dict[str, str]:
        """The placeholders that are the same in every attempt on this machine."""
        return {"folder": str(self.file.parent.resolve()), "python": sys.executable}

    def require(self, backend: str) -> None:
        """Checks that the program can run here.

        Raises:
            ProgramUnavailable: a module is missing, or it is not made for nodes of this kind.
            BadContract: it names a program that is not installed.
        """
        missing = [module for module in self.modules if not _is_installed(module)]
        if missing:
            raise ProgramUnavailable(
                f"{self.name} needs {missing[0]}, which is not installed: try `pip install {missing[0]}`"
            )
        if backend == "docker" and "docker" not in self.backends:
            raise ProgramUnavailable(
                f"{self.name} cannot run in Docker nodes, which do not hold it: try --backend namespaces"
            )
        commands = (*self.servers, self.callee, self.caller)
        if backend == "docker" and any("{folder}" in text for one in commands for text in one.argv):
            raise ProgramUnavailable(
                f"{self.file}: {{folder}} is not in Docker nodes: try --backend namespaces"
            )
        if backend != "docker":  # what a container holds, only the container knows
            self._require_programs()

    def _require_programs(self) -> None:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        sides = [("server", one) for one in self.servers]
        for key, command in (*sides, ("callee", self.callee), ("caller", self.caller)):
            program = filled_in(command.argv[0], {**dict.fromkeys(PLACEHOLDERS, ""), **self.places})
            if shutil.which(program, path=path) is None:
                problem = f"{key}.argv: there is no program {program!r} here: install it, or give its path"
                raise BadContract(self.file, problem)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # of the package that it would be in, or of a name that can be none
        return False


def shipped_programs() -> tuple[str, ...]:
    """The names of the contracts that come with the lab, sorted."""
    return tuple(sorted(path.stem for path in PROGRAMS.glob("*.toml")))


def find_contract(program: str) -> Contract:
    """The contract of a shipped program, or the one in a file.

    Raises:
        UnknownProgram: there is neither.
        BadContract: the file cannot be read or understood.
    """
    if program in shipped_programs():
        return load_contract(PROGRAMS / f"{program}.toml")
    path = Path(program)
    if path.suffix != ".toml" and not path.is_file():
        raise UnknownProgram(program, known=shipped_programs())
    return load_contract(path)


def load_contract(file: Path) -> Contract:
    """Reads a contract.

    Raises:
        BadContract: the file cannot be read or understood.
    """
    try:
        return _read_contract(file, read_toml(file, max_size=MAX_FILE_SIZE))
    except OSError as error:
        raise BadContract(file, error.strerror or str(error)) from None
    except BadToml as error:
        raise BadContract(file, str(error)) from None


class _Table:
    """One table of the file: every key is taken once, and what is left over is an error."""

    def __init__(self, file: Path, prefix: str, values: Mapping[str, Any], known: Sequence[str]) -> None:
        self._file = file
        self._prefix = prefix
        self._values = values
        for key in values:
            if key not in known:
                raise self.problem(key, f"unknown key, {guess(key, known)}")

    def problem(self, key: str, text: str) -> BadContract:
        return BadContract(self._file, f"{self._prefix}{key[:64]}: {text}")

    def require(self, key: str) -> None:
        if key not in self._values:
            raise self.problem(key, "is missing")

    def take(self, key: str, default: T, expected: str, check: Callable[[Any], bool]) -> T:
        if key not in self._values:
            return default
        value = self._values[key]
        if not check(value):
            raise self.problem(key, f"got {shown(value)}, expected {expected}")
        return value  # type: ignore[no-any-return]  # checked a line above

    def take_texts(self, key: str, default: tuple[str, ...], *, limit: int) -> tuple[str, ...]:
        texts = self.take(key, default, f"1 to {limit} strings", lambda value: _is_texts(value, limit))
        return tuple(texts)


_CONTRACT_KEYS = ("name", "description", "timeout", "needs", "server", "callee", "caller", "exit_codes")


def _read_contract(file: Path, tables: Mapping[str, Any]) -> Contract:
    top = _Table(file, "", tables, _CONTRACT_KEYS)
    for key in ("name", "callee", "caller"):
        top.require(key)
    name = top.take("name", "", "up to 32 letters, digits, '.', '_' and '-'", _is_name)
    needs = _subtable(top, file, "needs", ("modules", "backends"))
    codes = _subtable(top, file, "exit_codes", ("direct",))
    servers: Any = top.take("server", [], f"[server] or up to {MAX_SERVERS} of [[server]]", _is_tables)
    backends = needs.take_texts("backends", BACKEND_NAMES, limit=len(BACKEND_NAMES))
    if unknown := [backend for backend in backends if backend not in BACKEND_NAMES]:
        raise needs.problem("backends", f"got {unknown[0]!r}, expected {' and '.join(BACKEND_NAMES)}")
    return Contract(
        file=file,
        name=name,
        description=top.take("description", "", "one line", _is_line),
        timeout=float(top.take("timeout", DEFAULT_TIMEOUT, f"seconds, up to {MAX_TIMEOUT:g}", _is_timeout)),
        servers=tuple(
            _read_command(file, "server", table, ("argv", "ready"))
            for table in ([servers] if isinstance(servers, dict) else servers)
        ),
        callee=_read_command(file, "callee", tables["callee"], ("argv", "ready", "ready_on", "ends")),
        caller=_read_command(file, "caller", tables["caller"], ("argv",)),
        direct_codes=tuple(codes.take("direct", [0], "exit codes from 0 to 255", _is_exit_codes)),
        modules=needs.take_texts("modules", (), limit=16),
        backends=backends,
    )


def _subtable(top: _Table, file: Path, key: str, known: Sequence[str]) -> _Table:
    values: dict[str, Any] = top.take(key, {}, "a table", lambda value: isinstance(value, dict))
    return _Table(file, f"{key}.", values, known)


def _read_command(file: Path, key: str, values: Any, known: Sequence[str]) -> Command:
    if not isinstance(values, dict):
        raise BadContract(file, f"{key}: got {shown(values)}, expected a table [{key}]")
    table = _Table(file, f"{key}.", values, known)
    table.require("argv")
    argv = table.take_texts("argv", (), limit=MAX_ARGUMENTS)
    for argument in argv:
        _check_placeholders(table, "argv", argument)
    ready: str | None = table.take("ready", None, "a regular expression", _is_regex)
    if ready is not None:
        _check_placeholders(table, "ready", ready)
    return Command(
        argv=argv,
        ready=ready,
        ready_on=table.take("ready_on", "self", "'self' or 'server'", lambda v: v in ("self", "server")),
        ends=table.take("ends", False, "true or false", lambda v: isinstance(v, bool)),
    )


def _check_placeholders(table: _Table, key: str, text: str) -> None:
    for name in _PLACEHOLDER.findall(text):
        if name not in PLACEHOLDERS:
            raise table.problem(key, f"unknown placeholder {{{name[:64]}}}, {guess(name, PLACEHOLDERS)}")


def filled_in(text: str, values: Mapping[str, str]) -> str:
    """A text of the contract with its placeholders replaced, by all the names of :data:`PLACEHOLDERS`."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 500 and value.isprintable()


def _is_timeout(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and 0 < value <= MAX_TIMEOUT


def _is_texts(value: Any, limit: int) -> bool:
    is_list = isinstance(value, list) and 1 <= len(value) <= limit
    return is_list and all(isinstance(item, str) and "\0" not in item for item in value)


def _is_tables(value: Any) -> bool:
    if isinstance(value, dict):
        return True
    return isinstance(value, list) and len(value) <= MAX_SERVERS and all(isinstance(v, dict) for v in value)


def _is_exit_codes(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(v) is int and 0 <= v <= 255 for v in value)


def _is_regex(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        re.compile(_PLACEHOLDER.sub("x", value))
    except (re.error, OverflowError, RecursionError):
        return False
    return True
