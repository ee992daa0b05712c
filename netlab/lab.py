"""A running lab: built from a topology, proven, used, and taken down without a trace.

The order of building is: state file, nodes, links with their addresses and routes, NAT rules, proof, delay
line. Taking down needs only the state file, and is the same code whether a ``with`` block ends, ctrl-C is
pressed, or another process cleans up after a kill. So every ordinary end of a lab tests the extraordinary.

The lab's instruments (delay line, STUN server, probe, capture) are programs of the host that run in a node's
network. The programs under test run where the backend puts them.
"""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from netlab import state as state_files
from netlab.backend import LAB_PREFIX, Backend, namespace_of
from netlab.backends import backend_named
from netlab.construction import (
    apply_distance,
    connect_nodes,
    distance_of,
    forget_mappings,
    make_routers,
)
from netlab.errors import NodeNotFound, ProcessFailed
from netlab.events import Events
from netlab.instruments.launch import Capture, instrument_command
from netlab.interrupts import interrupts_deferred
from netlab.namespaces import NamespaceBackend
from netlab.process import NodeProcess
from netlab.proof import Proof, Subject
from netlab.proof.measuring import measure_subjects
from netlab.proof.plan import server_options
from netlab.proof.subject import subjects_of
from netlab.state import LabState, current_process, lab_name, nodes_of
from netlab.takedown import take_down
from netlab.tools import current_environment, for_each, require_machine, run_tool_in
from netlab.topology import CORE, Topology
from netlab.topology.file import from_document, to_document
from netlab.wiring import wire

_START_TIMEOUT = 10.0
"""Seconds until an instrument says that it is ready; 0.05 s are usual."""


class Lab:
    """A lab that is up inside a ``with`` block.

    Attributes:
        topology: what it looks like.
        backend: what holds its nodes.
        name: unique on this machine, ``nl-`` and six hexadecimal digits unless it was chosen.
        artefacts: the folder of its programs' output and of its captures.
        events: what can be made to happen to it while it runs.
        proofs: what was measured of each NAT while the lab came up.

    Raises (from entering the block):
        LabError: the lab could not be built, or a NAT is not what it claims; nothing is left behind.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        backend: Backend | None = None,
        name: str | None = None,
        artefacts: Path | None = None,
        prove: bool = True,
    ) -> None:
        self.topology = topology
        self.events = Events(self)
        self.backend = backend or NamespaceBackend()
        self.name = lab_name(name) if name is not None else f"{LAB_PREFIX}{secrets.token_hex(3)}"
        self.proofs: tuple[Proof, ...] = ()
        self._prove_first = prove
        self._state = LabState(
            name=self.name,
            backend=self.backend.name,
            rtt=topology.rtt,
            nodes=nodes_of(topology),
            topology=to_document(topology),
            owner=current_process(),
        )
        self.artefacts = artefacts or self._state.folder
        self._processes: list[NodeProcess] = []
        self._is_ours = False
        self._is_attached = False

    @classmethod
    def running(cls, name: str | None = None) -> Lab:
        """A lab that is up already, made by another process; without a name the only one there is.

        Leaving its ``with`` block, or calling :meth:`down`, lets go of it and leaves it up: it is not ours.

        Raises:
            LabNotFound: there is no such lab, or several where none was named.
        """
        state = state_files.find_lab(name)
        lab = cls(
            from_document(state.topology),
            backend=backend_named(state.backend),
            name=state.name,
            artefacts=state.folder,
        )
        lab._state = state
        lab._is_attached = True
        return lab

    def __enter__(self) -> Self:
        try:
            if not self._is_attached:
                self.up()
            return self
        except BaseException:
            self.down()  # an interrupt may come just when it is up
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def up(self) -> None:
        """Builds the lab and proves its NATs; on any error or interrupt takes it down again.

        Raises:
            LabError: as the class says.
        """
        require_machine()
        try:
            with interrupts_deferred():
                state_files.create(self._state)
                self._is_ours = True
            self.artefacts.mkdir(parents=True, exist_ok=True)
            self._build()
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        """Ends every program in the lab and removes it; a second call does nothing."""
        if not self._is_ours:  # it never came up: a lab of this name, if there is one, is somebody else's
            self._let_go()
            return
        with interrupts_deferred():
            take_down(self._state)
            for process in self._processes:
                process.reap()
            self._processes.clear()
            self._is_ours = False

    def detach(self) -> None:
        """Lets the lab outlive its ``with`` block and this process; ``netlab down`` removes it."""
        self._remember(lambda state: replace(state, owner=None))
        self._is_ours = False
        self._let_go()

    def _let_go(self) -> None:
        """Closes our ends of the programs' input; they live on."""
        for process in self._processes:
            process.release()
        self._processes.clear()

    def adopt(self, topology: Topology) -> None:
        """Notes that the lab looks otherwise now; whoever calls this has made it so."""
        document, nodes = to_document(topology), nodes_of(topology)
        self._remember(lambda state: replace(state, topology=document, nodes=nodes))
        self.topology = topology

    @property
    def state(self) -> LabState:
        """What other processes know of this lab."""
        return self._state

    def run(
        self, node: str, argv: Sequence[str], *, timeout: float = 30.0, text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program in a node to its end, with ``text`` on stdin.

        Raises:
            NodeNotFound: there is no such node.
            ProcessFailed: it did not end within ``timeout`` seconds.
        """
        self._require_node(node)
        command = self.backend.command(self.name, node, argv)
        try:
            return subprocess.run(
                command,
                input=text,
                encoding="utf-8",
                errors="replace",  # as its files are read: a program may write what it likes
                capture_output=True,
                env=current_environment(),
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            expected, got = f"to end within {timeout:g} s", "it still runs"
            raise ProcessFailed(f"{argv[0]} on {node}", expected=expected, got=got) from None

    def start(self, node: str, argv: Sequence[str], *, label: str | None = None) -> NodeProcess:
        """Starts a program in a node; its output goes to files among the artefacts.

        Args:
            node: where.
            argv: the program and its arguments.
            label: the name of its files, ``NODE-PROGRAM`` by default.

        Raises:
            NodeNotFound: there is no such node.
        """
        self._require_node(node)
        command = self.backend.command(self.name, node, argv)
        return self._start(command, label=label or f"{node}-{Path(argv[0]).name}")

    def capture(self, node: str, interface: str) -> Capture:
        """Starts recording an interface of a node, to a pcap file among the artefacts.

        Raises:
            NodeNotFound: there is no such node.
            ProcessFailed: the interface cannot be recorded.
        """
        self._require_node(node)
        label = f"{node}-{interface}"
        earlier = len(list(self.artefacts.glob(f"{label}*.pcap")))
        file = self.artefacts / (f"{label}~{earlier + 1}.pcap" if earlier else f"{label}.pcap")
        process = self.start_instrument(node, "capture.py", interface, str(file))
        return Capture(process, file)

    def conntrack(self, nat: str) -> list[str]:
        """The connection tracking entries of a NAT, one line each as ``conntrack -L`` prints them."""
        self._require_node(nat)
        return run_tool_in(namespace_of(self.name, nat), ["conntrack", "-L"]).splitlines()

    def prove(self) -> tuple[Proof, ...]:
        """Measures every router with a host behind it, and compares; then forgets the probes' mappings.

        Raises:
            ProcessFailed: a probe or the server that it asks failed.
        """
        proofs = self.measure(subjects_of(self.topology))
        self._forget()
        return proofs

    def measure(
        self, subjects: Sequence[Subject], *, patience: float = 0.0, opinions: bool = False
    ) -> tuple[Proof, ...]:
        """Measures subjects, side by side where they can be; the proofs are in the order of the subjects.

        Args:
            subjects: what to measure, and from where.
            patience: seconds for which a mapping's lifetime is waited for; longer ones, with 0 all of them,
                are read from the kernel.
            opinions: whether foreign tools are asked as well.

        Raises:
            ProcessFailed: a probe or the server that it asks failed.
        """
        server = self.start_instrument(CORE, "stunserver.py", *server_options(subjects))
        try:
            return measure_subjects(self.name, subjects, patience=patience, opinions=opinions)
        finally:
            server.stop()

    def _build(self) -> None:
        wiring = wire(self.topology, self.name)
        self.backend.create_nodes(self.name, wiring.nodes)
        connect_nodes(self.name, wiring)
        make_routers(self.name, self.topology)
        if self._prove_first:
            self.proofs = self.measure(subjects_of(self.topology))
            for proof in self.proofs:
                proof.require()  # before anything else is asked of a router that is not what it says
            self._forget()
        self._make_distance()

    def _forget(self) -> None:
        for_each(self.topology.nats, lambda nat: forget_mappings(self.name, self.topology, nat))

    def _make_distance(self) -> None:
        plan = distance_of(self.name, self.topology)

        def make(node: str) -> None:
            needed = plan[node]
            if needed.delay_line:
                self.start_instrument(node, "delay.py", *needed.delay_line)
            apply_distance(self.name, node, needed)

        for_each(list(plan), make)

    def start_instrument(self, node: str, script: str, *options: str) -> NodeProcess:
        """Starts one of the lab's own programs in a node's network, and waits until it is ready.

        Raises:
            ProcessFailed: it did not get ready.
        """
        command = instrument_command(namespace_of(self.name, node), script, *options)
        process = self._start(command, label=f"{node}-{Path(script).stem}")
        try:
            process.wait_for_line("^READY$", timeout=_START_TIMEOUT)
        except BaseException:
            process.stop()  # the lab may not be ours, and then nobody else would
            raise
        return process

    def _start(self, command: Sequence[str], *, label: str) -> NodeProcess:
        earlier = sum(process.label.partition("~")[0] == label for process in self._processes)
        unique = f"{label}~{earlier + 1}" if earlier else label
        with interrupts_deferred():  # or one could come while it runs and nobody knows of it
            process = NodeProcess(command, label=unique, folder=self.artefacts)
            self._processes.append(process)
            identity = process.id  # once: it may end between two looks
            try:
                if identity is not None:
                    self._remember(lambda state: state.with_process(identity))
            except BaseException:
                process.stop()  # somebody has taken the lab down meanwhile
                raise
        return process

    def _remember(self, edit: Callable[[LabState], LabState]) -> None:
        self._state = state_files.change(self.name, edit)

    def _require_node(self, node: str) -> None:
        known = (CORE, *self.topology.node_names)
        if node not in known:
            raise NodeNotFound(node, known=known)
