"""Real NATs on one machine: namespaces and containers behind iptables, each measured before it is trusted.

::

    from netlab import Lab, profile, two_nats

    with Lab(two_nats(profile("symmetric"), profile("port-restricted"), rtt=0.040)) as lab:
        server = lab.start("server", ["my-server", "--listen", "198.51.100.10"])
        server.wait_for_line("listening")
        done = lab.run("elsa", ["my-program", "--server", "198.51.100.10"])

Each of these names is imported when it is first asked for: pytest imports this package, for its plugin, in
every project that has it installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from natcore.nat import Outcome
    from netlab.errors import LabError, MislabelledNat
    from netlab.lab import Lab
    from netlab.profiles import PROFILES, NatProfile, profile
    from netlab.topology import Host, Interface, Nat, Topology
    from netlab.topology.expectation import expected_between
    from netlab.topology.file import load_topology
    from netlab.topology.link import Link
    from netlab.topology.scenes import two_nats

__all__ = [
    "PROFILES",
    "Host",
    "Interface",
    "Lab",
    "LabError",
    "Link",
    "MislabelledNat",
    "Nat",
    "NatProfile",
    "Outcome",
    "Topology",
    "expected_between",
    "load_topology",
    "profile",
    "two_nats",
]

_MODULES = (
    "netlab.errors",
    "netlab.profiles",
    "netlab.topology",
    "netlab.topology.file",
    "netlab.topology.scenes",
    "netlab.topology.link",
    "netlab.topology.expectation",
    "netlab.lab",
)
"""Where the names above are found, in the order of looking: the lab, which needs all the others, last."""


def __getattr__(name: str) -> object:
    if name in __all__:
        for module in map(import_module, _MODULES):
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
