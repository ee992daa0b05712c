"""What a lab looks like, as values: nothing here runs anything.

::

    values       routers, hosts, their interfaces, and the topology of all of them
    link         what a cable does to the packets on it
    sites        the routers of a profile, and a host behind them
    scenes       the topologies that are asked for by name
    file         the same values as TOML, and as the document in a lab's state
    expectation  what the law of NATs says of two hosts of a topology
"""

from netlab.topology.values import (
    CORE,
    INSTRUMENT_ADDRESSES,
    INSTRUMENT_ADDRESSES_IPV6,
    SINK_ADDRESS,
    Host,
    Interface,
    IPAddress,
    Nat,
    Topology,
)

__all__ = [
    "CORE",
    "INSTRUMENT_ADDRESSES",
    "INSTRUMENT_ADDRESSES_IPV6",
    "SINK_ADDRESS",
    "Host",
    "IPAddress",
    "Interface",
    "Nat",
    "Topology",
]
