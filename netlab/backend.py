"""What a lab needs from the thing that holds its nodes, and nothing more.

A backend makes *empty* nodes and runs programs in them. Everything else (links, addresses, routes, NAT
rules, the delay line, proof and capture) is the same code for every backend, because after
:meth:`Backend.create_nodes` each node *is* a network namespace with a name: ``ip -n`` and ``ip netns exec``
work on it from the host. A Docker container with ``network_mode: none`` becomes one with
``ip netns attach NAME PID``.

Only the programs under test go through :meth:`Backend.command`, so that they see the node's file system.
The lab's own instruments need a node's network and not its files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

LAB_PREFIX = "nl-"
"""Every name that netlab leaves in the system starts with this, so that ``netlab clean`` can find it."""

SEPARATOR = "."
"""Between lab and node in a namespace name; neither of the two may contain it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One node to create.

    Attributes:
        name: unique in its lab: letters, digits and hyphens.
        sysctls: kernel settings of the node's network namespace, ``{"net.ipv4.ip_forward": "1"}``. A backend
            ignores those that this kernel does not have.
    """

    name: str
    sysctls: Mapping[str, str] = field(default_factory=dict)


class Backend(Protocol):
    """Where the nodes of labs live.

    Attributes:
        name: ``"namespaces"`` or ``"docker"``, as on the command line and in the state file.
    """

    name: str

    def create_nodes(self, lab: str, nodes: Sequence[NodeSpec]) -> None:
        """Creates all nodes, with loopback up; each is then the namespace :func:`namespace_of`.

        Nothing is undone here on failure: the lab calls :meth:`destroy_nodes` whatever happened.

        Raises:
            LabError: a node could not be made, or the machine lacks something.
        """

    def command(self, lab: str, node: str, argv: Sequence[str]) -> list[str]:
        """The argv that, run on the host, runs ``argv`` inside the node with our standard streams."""

    def destroy_nodes(self, lab: str) -> None:
        """Ends every process in the lab's nodes and removes them with their links.

        Idempotent; must work in a new process after a crash at any point of :meth:`create_nodes`.
        """

    def labs(self) -> list[str]:
        """The names of the labs that have at least one node now, sorted."""


def namespace_of(lab: str, node: str) -> str:
    """The name of a node's network namespace: ``nl-3fa9c1.nat-elsa``."""
    return f"{lab}{SEPARATOR}{node}"


def lab_of(namespace: str) -> str | None:
    """The lab to which a namespace belongs, or None for a namespace that is not ours."""
    lab, separator, node = namespace.partition(SEPARATOR)
    return lab if separator and node and lab.startswith(LAB_PREFIX) else None
