"""The real miniupnpd in a router of a lab: a home router's UPnP IGD, NAT-PMP and PCP.

It refuses to forward from an address that is no public one, and the lab's are of the documentation ranges.
So the routers here get addresses that look public; the lab is closed, nothing leaves it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from netlab.lab import Lab
from netlab.process import NodeProcess
from netlab.profiles import NatProfile
from netlab.topology import Topology
from netlab.topology.scenes import two_nats
from netlab.wiring import LAN, WAN

PUBLIC_ADDRESSES = {"nat-elsa": IPv4Address("5.5.5.7"), "nat-anna": IPv4Address("5.5.5.33")}

_CHAINS = f"""\
table inet miniupnpd {{
    chain prerouting {{
        type nat hook prerouting priority dstnat; policy accept;
        iifname {WAN} jump prerouting_miniupnpd
    }}
    chain miniupnpd {{ }}
    chain prerouting_miniupnpd {{ }}
    chain postrouting_miniupnpd {{ }}
}}
"""
"""What its own nft_init.sh makes, in a table of its own and with one hook. The lab's filter lets in what this
forwards, as it does every packet whose destination was translated. The chain for what a mapped host sends has
no hook: it would keep that host's port, and a symmetric NAT would not be symmetric any more."""

_CONFIGURATION = """\
ext_ifname={wan}
listening_ip={lan}
http_port=5000
ipv6_disable=yes
enable_upnp={upnp}
enable_natpmp={natpmp}
force_igd_desc_v1={version_1}
secure_mode=yes
system_uptime=no
notify_interval=900
min_lifetime={min_lifetime}
max_lifetime=86400
uuid=00000000-0000-0000-0000-000000000001
upnp_table_name=miniupnpd
upnp_nat_table_name=miniupnpd
allow 1024-65535 192.168.1.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions:
    """What the daemon is told to be.

    Attributes:
        upnp: whether it speaks UPnP.
        natpmp: whether it speaks NAT-PMP and PCP, which it has one switch for.
        version_1: whether its UPnP description is that of version 1.
        min_lifetime: seconds; the shortest that PCP is granted.
    """

    upnp: bool = True
    natpmp: bool = True
    version_1: bool = False
    min_lifetime: int = 120


def public_nats(profile_a: NatProfile, profile_b: NatProfile, *, rtt: float = 0.0) -> Topology:
    """The usual scene, with the routers at addresses that look public."""
    scene = two_nats(profile_a, profile_b, rtt=rtt)
    nats = tuple(replace(nat, wan_address=PUBLIC_ADDRESSES[nat.name]) for nat in scene.nats)
    return replace(scene, nats=nats)


def start_gateway(lab: Lab, nat: str, options: GatewayOptions | None = None) -> NodeProcess:
    """Starts the daemon in a router, and waits until it answers."""
    options = options or GatewayOptions()
    prepare_chains(lab, nat)
    return restart_gateway(lab, nat, options)


def prepare_chains(lab: Lab, nat: str) -> None:
    """Makes the chains that the daemon fills."""
    made = lab.run(nat, ["nft", "-f", "-"], text=_CHAINS)
    assert made.returncode == 0, made.stderr


def forget_rules(lab: Lab, nat: str) -> None:
    """Does what a restart of the whole router does to its rules; the daemon alone leaves them behind."""
    for chain in ("miniupnpd", "prerouting_miniupnpd", "postrouting_miniupnpd"):
        assert lab.run(nat, ["nft", "flush", "chain", "inet", "miniupnpd", chain]).returncode == 0


def restart_gateway(lab: Lab, nat: str, options: GatewayOptions) -> NodeProcess:
    """Starts the daemon where its chains are already."""
    file = lab.artefacts / f"{nat}-miniupnpd.conf"
    words = {True: "yes", False: "no"}
    file.write_text(
        _CONFIGURATION.format(
            wan=WAN,
            lan=LAN,
            upnp=words[options.upnp],
            natpmp=words[options.natpmp],
            version_1=words[options.version_1],
            min_lifetime=options.min_lifetime,
        ),
        encoding="utf-8",
    )
    pid_file = lab.artefacts / f"{nat}-miniupnpd.pid"
    command = f"exec miniupnpd -d -f {file} -P {pid_file} 2>&1"  # its log, where it can be waited for
    daemon = lab.start(nat, ["sh", "-c", command], label=f"{nat}-miniupnpd")
    daemon.wait_for_line("Listening for NAT-PMP" if options.natpmp else "HTTP listening")
    return daemon


def forwarded(lab: Lab, nat: str) -> list[str]:
    """The rules by which the router forwards ports now."""
    listed = lab.run(nat, ["nft", "list", "chain", "inet", "miniupnpd", "prerouting_miniupnpd"])
    return [line.strip() for line in listed.stdout.splitlines() if "dnat" in line]
