"""Second opinions: what other people's tools say of the same NATs, asked from the same hosts.

Each tool speaks its own language, and not about everything. So a claim is translated into the words that the
tool is expected to say, as far as its words go, and those are compared with what it says; our own measurement
has no part in it. A tool that disagrees is a difference like any other.

``turnutils_natdiscovery`` waits 3 s for each answer that is filtered, once or twice a question, and has no
option for less. So each of its questions is asked by a process of its own, side by side.

Each process has a source port of its own below the range from which the probe's come: what the NAT remembers
of the probe would make a filter look open.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from natcore.nat import FilteringBehavior, MappingBehavior, PortAllocation
from netlab.backend import namespace_of
from netlab.errors import MissingTool
from netlab.profiles import Boundary
from netlab.proof.programs import Programs
from netlab.proof.subject import Subject
from netlab.tools import find_tool, in_namespace
from netlab.topology import INSTRUMENT_ADDRESSES, INSTRUMENT_ADDRESSES_IPV6

_TIMEOUT = 60.0
"""Seconds for a tool; 6 s are usual for natdiscovery, 1.3 s for stun."""

NO_WORD = "no verdict"
"""What a tool has said that said nothing we know."""

Words = dict[str, str]
"""By property, a tool's own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What tools were expected to say, what they have said, and what they could not say.

    Attributes:
        claimed: by property, with the tool's name: ``mapping (stun)``.
        said: the same properties.
        remarks: by property, why nothing is compared.
    """

    claimed: Words = field(default_factory=dict)
    said: Words = field(default_factory=dict)
    remarks: Words = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A foreign tool, as a table row.

    Attributes:
        name: short, for the table.
        program: what is run.
        package: of Debian.
        questions: the options of each process, by a name of ours.
        arguments: the command line without the program, from the server, its options, and the source
            address and port.
        expected: the tool's words for what a subject claims.
        heard: its words in what it printed, by question.
        limits: properties of a subject of which it is known to be unable to speak, with the reason.
    """

    name: str
    program: str
    package: str
    questions: Mapping[str, Sequence[str]]
    arguments: Callable[[str, Sequence[str], str, int], list[str]]
    expected: Callable[[Subject], Words]
    heard: Callable[[str, str], Words]
    limits: Callable[[Subject], Words]
    speaks_ipv6: bool = True


_NATDISCOVERY_WORDS = {
    MappingBehavior.ENDPOINT_INDEPENDENT: "Endpoint Independent",
    MappingBehavior.ADDRESS_DEPENDENT: "Address Dependent",
    MappingBehavior.ADDRESS_AND_PORT_DEPENDENT: "Address and Port Dependent",
    FilteringBehavior.ENDPOINT_INDEPENDENT: "Endpoint Independent",
    FilteringBehavior.ADDRESS_DEPENDENT: "Address Dependent",
    FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT: "Address and Port Dependent",
}
_NATDISCOVERY_NAT = {True: "NAT", False: "No NAT"}
_NATDISCOVERY_VERDICTS = {
    "mapping": re.compile(r"^NAT with (.+) Mapping!$", re.MULTILINE),
    "filtering": re.compile(r"^NAT with (.+) Filtering!$", re.MULTILINE),
}
_NATDISCOVERY_TIMEOUT = "STUN receive timeout"
_NATDISCOVERY_HAIRPIN = "maybe a successful hairpinning"


def expect_natdiscovery(subject: Subject) -> Words:
    """What turnutils_natdiscovery says of what a subject claims."""
    behavior = subject.profile.seen
    if behavior.udp_blocked:
        return {"mapping": _NATDISCOVERY_TIMEOUT, "filtering": _NATDISCOVERY_TIMEOUT}
    words = {
        "translation": _NATDISCOVERY_NAT[subject.profile.boundary is Boundary.NAT],
        "mapping": _NATDISCOVERY_WORDS[behavior.mapping],
        "filtering": _NATDISCOVERY_WORDS[behavior.filtering],
    }
    if subject.profile.boundary is Boundary.NAT:
        hairpins = _NATDISCOVERY_HAIRPIN if behavior.hairpinning else _NATDISCOVERY_TIMEOUT
        words["hairpinning"] = hairpins
    return words


def hear_natdiscovery(question: str, printed: str) -> Words:
    """What turnutils_natdiscovery printed, in its own words."""
    if question == "hairpinning":
        known = (_NATDISCOVERY_HAIRPIN, _NATDISCOVERY_TIMEOUT)
        return {question: next((word for word in known if word in printed), NO_WORD)}
    verdict = _NATDISCOVERY_VERDICTS[question].search(printed)
    if verdict is None:
        return {question: _NATDISCOVERY_TIMEOUT if _NATDISCOVERY_TIMEOUT in printed else NO_WORD}
    if question != "mapping":
        return {question: verdict[1]}
    return {"translation": _NATDISCOVERY_NAT["No NAT!" not in printed], question: verdict[1]}


def limits_of_natdiscovery(subject: Subject) -> Words:
    """What turnutils_natdiscovery cannot see."""
    if subject.is_chain and subject.profile.seen.hairpinning:
        return {
            "hairpinning": "only one of its sockets sends: the inner router drops what the outer one returns"
        }
    return {}


_STUN_MAPPINGS = {
    MappingBehavior.ENDPOINT_INDEPENDENT: "Independent Mapping",
    MappingBehavior.ADDRESS_DEPENDENT: "Dependent Mapping",
    MappingBehavior.ADDRESS_AND_PORT_DEPENDENT: "Dependent Mapping",
}
_STUN_FILTERS = {
    FilteringBehavior.ENDPOINT_INDEPENDENT: "Independent Filter",
    FilteringBehavior.ADDRESS_DEPENDENT: "Address Dependent Filter",
    FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT: "Port Dependent Filter",
}
_STUN_PORTS = {
    PortAllocation.PRESERVING: "preserves ports",
    PortAllocation.RANDOM: "random port",
    PortAllocation.SEQUENTIAL: "random port",
}
_STUN_HAIRPINS = {True: "will hairpin", False: "no hairpin"}
_STUN_TYPES = ("Open", "Firewall", "Blocked or could not reach STUN server")
_STUN_VERDICT = re.compile(r"^Primary: (.+?)\s*$", re.MULTILINE)
_STUN_PARTS: Mapping[str, tuple[str, ...]] = {
    "type": _STUN_TYPES,
    "mapping": tuple(_STUN_MAPPINGS.values()),
    "filtering": tuple(_STUN_FILTERS.values()),
    "allocation": tuple(_STUN_PORTS.values()),
    "hairpinning": tuple(_STUN_HAIRPINS.values()),
}
"""Which of its words speak of what."""


def expect_stun(subject: Subject) -> Words:
    """What stun-client says of what a subject claims.

    It has one word for all dependent mappings, and none for their filter; its "random port" is every port
    but one's own.
    """
    profile, behavior = subject.profile, subject.profile.seen
    if behavior.udp_blocked:
        return {"type": _STUN_TYPES[2]}
    if profile.boundary is not Boundary.NAT:
        is_open = behavior.filtering is FilteringBehavior.ENDPOINT_INDEPENDENT
        return {"type": _STUN_TYPES[0] if is_open else _STUN_TYPES[1]}
    words = {"mapping": _STUN_MAPPINGS[behavior.mapping]}
    if behavior.mapping is MappingBehavior.ENDPOINT_INDEPENDENT:
        words["filtering"] = _STUN_FILTERS[behavior.filtering]
    return words | {
        "allocation": _STUN_PORTS[behavior.allocation],
        "hairpinning": _STUN_HAIRPINS[behavior.hairpinning],
    }


def hear_stun(_question: str, printed: str) -> Words:
    """What stun-client printed, in its own words."""
    verdict = _STUN_VERDICT.search(printed)
    said = verdict[1].split(", ") if verdict is not None else []
    return {part: word for part, known in _STUN_PARTS.items() for word in said if word in known}


TOOLS = (
    Tool(
        name="natdiscovery",
        program="turnutils_natdiscovery",
        package="coturn",
        questions={"mapping": ("-m",), "filtering": ("-f",), "hairpinning": ("-H",)},
        arguments=lambda server, options, address, port: [*options, "-L", address, "-l", str(port), server],
        expected=expect_natdiscovery,
        heard=hear_natdiscovery,
        limits=limits_of_natdiscovery,
    ),
    Tool(
        name="stun",
        program="stun",
        package="stun-client",
        questions={"type": ()},
        arguments=lambda server, options, _address, port: [server, *options, "-p", str(port)],
        expected=expect_stun,
        heard=hear_stun,
        limits=lambda _subject: {},
        speaks_ipv6=False,
    ),
)

_FIRST_PORT = 20000
_PORTS_EACH = 10
"""Source ports of one process: stun takes two in a row."""


def ask_tools(lab: str, subject: Subject, programs: Programs) -> Opinion:
    """What all tools say of a subject; the lab's STUN server must be running.

    Raises:
        ProcessFailed: a tool did not end.
    """
    answers: dict[str, Words] = {}
    remarks: Words = {}
    with ThreadPoolExecutor(max_workers=len(TOOLS) * 3) as pool:
        pending = []
        for number, (tool, question) in enumerate(_questions()):
            if tool.name in remarks:
                continue
            if (reason := _why_silent(tool, subject)) is not None:
                remarks[tool.name] = reason
                continue
            command = _command(lab, subject, tool, question, port=_FIRST_PORT + number * _PORTS_EACH)
            label = f"{tool.program} on {subject.host}"
            future = pool.submit(programs.run, command, label=label, timeout=_TIMEOUT)
            pending.append((tool, question, future))
    for tool, question, future in pending:
        done = future.result()
        answers.setdefault(tool.name, {}).update(tool.heard(question, done.stdout + done.stderr))
    return judge(subject, answers, remarks)


def judge(subject: Subject, answers: Mapping[str, Words], remarks: Words) -> Opinion:
    """What tools have said beside what they should have said, by their names."""
    claimed, said, noted = {}, {}, dict(remarks)
    for tool in TOOLS:
        if tool.name not in answers:
            continue
        limits = tool.limits(subject)
        for name, words in tool.expected(subject).items():
            label = f"{name} ({tool.name})"
            if name in limits:
                noted[label] = f"it says {answers[tool.name].get(name, NO_WORD)!r}: {limits[name]}"
                continue
            claimed[label] = words
            said[label] = answers[tool.name].get(name, NO_WORD)
    return Opinion(claimed=claimed, said=said, remarks=noted)


def _questions() -> Iterator[tuple[Tool, str]]:
    return ((tool, question) for tool in TOOLS for question in tool.questions)


def _why_silent(tool: Tool, subject: Subject) -> str | None:
    if subject.address is None:
        return "nobody knows where to ask from"
    if subject.is_ipv6 and not tool.speaks_ipv6:
        return "does not speak IPv6"
    try:
        find_tool(tool.program)
    except MissingTool:
        return f"not installed (apt-get install {tool.package})"
    return None


def _command(lab: str, subject: Subject, tool: Tool, question: str, *, port: int) -> list[str]:
    servers = INSTRUMENT_ADDRESSES_IPV6 if subject.is_ipv6 else INSTRUMENT_ADDRESSES
    arguments = tool.arguments(str(servers[0]), tool.questions[question], str(subject.address), port)
    return in_namespace(namespace_of(lab, subject.host), [find_tool(tool.program), *arguments])
