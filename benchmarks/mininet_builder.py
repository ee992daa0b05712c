"""The peer's side of the race: the same lab, built with Mininet as its own examples do it.

``/usr/bin/python3 -m benchmarks.mininet_builder``, in the Python that Debian's ``mininet`` is installed for.

The nodes are the same: a server, NATs and a host behind each, around one router. Every NAT is Mininet's own
class ``NAT``. Links go straight to the router, without the switch and the controller that Mininet's examples
put in between. Two things that Mininet does are left out, because they change the machine and not the lab,
and would cost it time: it raises limits of the kernel once, and enters the interface of each NAT in
``/etc/network/interfaces``.
"""

from __future__ import annotations

import importlib
from typing import Any

from benchmarks.builder import MAX_PINGS, PING, Order, answer, obey

_SERVER = "198.51.100.10"
_SERVER_GATEWAY = "198.51.100.1"
_HOME = "192.168.1.0/24"
_HOME_HOST = "192.168.1.10/24"
_HOME_GATEWAY = "192.168.1.1"


class MininetBuilder:
    """Implements :class:`benchmarks.builder.Builder`.

    Raises:
        ImportError: this Python has no Mininet.
    """

    def __init__(self) -> None:
        self._net_module = importlib.import_module("mininet.net")
        self._nat_class = importlib.import_module("mininet.nodelib").NAT
        importlib.import_module("mininet.log").setLogLevel("error")
        self._net_module.Mininet.inited = True
        self._nat_class.setManualConfig = lambda _nat, _interface: None
        self._net: Any = None

    def prepare(self, order: Order) -> None:
        """Has nothing to make beforehand."""

    def up(self, order: Order) -> None:
        """Builds a lab and pings the server from every home.

        Raises:
            RuntimeError: it carries no ping.
        """
        self._net = net = self._net_module.Mininet(controller=None)
        core = net.addHost("inet", ip=None)
        server = net.addHost("server", ip=f"{_SERVER}/24", defaultRoute=f"via {_SERVER_GATEWAY}")
        net.addLink(server, core, params2={"ip": f"{_SERVER_GATEWAY}/24"})
        hosts = [self._add_home(net, core, number) for number in range(1, order["homes"] + 1)]
        net.start()
        core.cmd("sysctl net.ipv4.ip_forward=1")  # as the example linuxrouter.py does
        for host in hosts:
            _reach_server(host)

    def down(self) -> None:
        """Removes the lab if there is one."""
        net, self._net = self._net, None
        if net is not None:
            net.stop()

    def _add_home(self, net: Any, core: Any, number: int) -> Any:
        """A NAT with a host behind it, on a public network of its own; returns the host."""
        name = f"nat{number}"
        nat = net.addHost(
            name,
            cls=self._nat_class,
            inNamespace=True,
            ip=f"203.0.{number}.7/24",
            defaultRoute=f"via 203.0.{number}.1",
            subnet=_HOME,
            localIntf=f"{name}-eth1",
        )
        net.addLink(nat, core, params2={"ip": f"203.0.{number}.1/24"})
        host = net.addHost(f"host{number}", ip=_HOME_HOST, defaultRoute=f"via {_HOME_GATEWAY}")
        net.addLink(host, nat, params2={"ip": f"{_HOME_GATEWAY}/24"})
        return host


def _reach_server(host: Any) -> None:
    ping = " ".join([*PING, _SERVER])
    # The core knows no way to 192.168.1.0/24: an answer means that the NAT has translated.
    if not any(" 0% packet loss" in host.cmd(ping) for _ in range(MAX_PINGS)):
        raise RuntimeError(f"ping on {host}: got no answer to {MAX_PINGS}, expected one")


def main() -> None:
    """The program."""
    try:
        builder = MininetBuilder()
    except ImportError as problem:
        answer({"absent": f"{problem}: try `apt-get install mininet`"})
        return
    obey(builder)


if __name__ == "__main__":
    main()
