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
from netlab.profiles import PROFILES, NatProfile, profile
from netlab.topology import Host, Nat, PublicHost, Topology, two_nats

__all__ = [
    "PROFILES",
    "Host",
    "Lab",
    "LabError",
    "MislabelledNat",
    "Nat",
    "NatProfile",
    "PublicHost",
    "Topology",
    "profile",
    "two_nats",
]
