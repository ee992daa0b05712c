"""Labs whose nodes are Docker containers: the same wiring and the same rules, other walls.

Theory of operation. Each node is a container of the toolkit's image (:mod:`netlab.docker.images`) with
``network_mode: none``: a network namespace with nothing in it but loopback, and a file system and processes
of its own. ``ip netns attach`` gives the namespace a name, and from then on the lab wires it like any other.
Docker's own networks are not used, because they would put the host's bridge, packet filter and connection
tracking between the nodes, where two translated flows can clash.

Programs under test start through :mod:`netlab.docker.exec`: in the container's file system, with the toolkit
that the image holds at ``/opt/netlab`` and first on the PATH.

Always true: whatever this makes carries the label :data:`LAB_LABEL` or the lab's name, so that another
process can remove it after a crash.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing, suppress
from http import HTTPStatus

import docker
from docker.errors import NotFound
from docker.models.containers import Container

from netlab.backend import NodeSpec, namespace_of
from netlab.docker.client import ENGINE_ERRORS, EngineUnreachable, connect
from netlab.docker.images import ensure_image
from netlab.errors import LabError
from netlab.namespaces import NamespaceBackend
from netlab.tools import apply_settings, for_each, require_root, run_tool

LAB_LABEL = "netlab.lab"
"""Container label: the lab's name."""

NODE_LABEL = "netlab.node"
"""Container label: the node's name in its lab."""

CAPABILITIES = ("NET_ADMIN", "NET_RAW")
"""What programs in a node may do beyond Docker's default: set up interfaces and rules, and ping."""


_NEW_NAMESPACE = {f"net.ipv6.conf.{name}.disable_ipv6": "0" for name in ("all", "default")}
"""What a new namespace has by itself. Docker turns IPv6 off in containers without a Docker network."""


class EngineRefused(LabError):
    """The Docker engine answered with an error.

    Attributes:
        action: what was asked of it.
        reason: its own words.
    """

    def __init__(self, action: str, reason: str) -> None:
        self.action = action
        self.reason = reason
        super().__init__(action, reason)

    def __str__(self) -> str:
        return f"the Docker engine could not {self.action}: {self.reason}"


class DockerBackend:
    """Nodes as containers without Docker networking; implements :class:`netlab.backend.Backend`."""

    name = "docker"

    def create_nodes(self, lab: str, nodes: Sequence[NodeSpec]) -> None:
        """Starts one container a node, all at once, and names their network namespaces.

        Raises:
            EnvironmentProblem: we are not root, no engine answers, or the image cannot be made.
            LabError: the engine or a tool refused.
        """
        require_root()
        with closing(connect()) as client:
            image = ensure_image(client)
            for_each(nodes, lambda node: _create_node(client, image, lab, node))

    def command(self, lab: str, node: str, argv: Sequence[str]) -> list[str]:
        """The argv that runs ``argv`` in the node's file system, looked up on the image's PATH."""
        return [sys.executable, "-m", "netlab.docker.exec", namespace_of(lab, node), *argv]

    def destroy_nodes(self, lab: str) -> None:
        """Removes the lab's containers with everything that runs in them, and their namespaces' names.

        Where no engine answers, there is no container of its any more, at most the record of one; the lab
        shows in :meth:`labs` again when the engine does.

        Raises:
            LabError: the engine or a tool refused.
        """
        NamespaceBackend().destroy_nodes(lab)  # also ends the host's programs in there
        with suppress(EngineUnreachable), closing(connect()) as client:
            for_each(_containers(client, f"{LAB_LABEL}={lab}"), _remove)

    def labs(self) -> list[str]:
        """The names of the labs that have a container now, sorted.

        Raises:
            EnvironmentProblem: no engine answers.
            EngineRefused: it answered with an error.
        """
        with closing(connect()) as client:
            return sorted({container.labels[LAB_LABEL] for container in _containers(client, LAB_LABEL)})


def _create_node(client: docker.DockerClient, image: str, lab: str, node: NodeSpec) -> None:
    namespace = namespace_of(lab, node.name)
    try:
        container = client.containers.run(
            image,
            name=namespace,
            hostname=node.name,
            labels={LAB_LABEL: lab, NODE_LABEL: node.name},
            network_mode="none",
            init=True,  # reaps what a killed program leaves behind
            cap_add=list(CAPABILITIES),
            detach=True,
        )
        container.reload()
    except ENGINE_ERRORS as error:
        raise EngineRefused(f"start the container {namespace}", str(error)) from error
    run_tool(["ip", "netns", "attach", namespace, str(container.attrs["State"]["Pid"])])
    apply_settings(
        namespace, {**_NEW_NAMESPACE, **node.sysctls}
    )  # from the host: inside, /proc/sys is read-only


def _containers(client: docker.DockerClient, label: str) -> list[Container]:
    try:
        found: list[Container] = client.containers.list(
            all=True, filters={"label": label}, ignore_removed=True
        )
    except ENGINE_ERRORS as error:
        raise EngineRefused("list containers", str(error)) from error
    return found


def _remove(container: Container) -> None:
    try:
        container.remove(force=True, v=True)
    except NotFound:
        return
    except ENGINE_ERRORS as error:
        if getattr(error, "status_code", None) != HTTPStatus.CONFLICT:  # somebody else is removing it already
            raise EngineRefused(f"remove the container {container.name}", str(error)) from error
