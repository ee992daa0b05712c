"""Real NATs on one machine: namespaces and containers behind iptables, each measured before it is trusted.

::

    from netlab import Lab, profile, two_nats

    with Lab(two_nats(profile("symmetric"), profile("port-restricted"), rtt=0.040)) as lab:
        server = lab.start("server", ["my-server", "--listen", "198.51.100.10"])
        server.wait_for_line("listening")
        done = lab.run("elsa", ["my-program", "--server", "198.51.100.10"])
"""

from netlab.errors import LabError, MislabelledNat
from netlab.lab import Lab
from netlab.link import Link
from netlab.profiles import PROFILES, NatProfile, profile
from netlab.scenes import two_nats
from netlab.topology import Host, Interface, Nat, Topology
from netlab.topology_file import load_topology

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
    "Topology",
    "load_topology",
    "profile",
    "two_nats",
]
