"""The rules of the core: losing and delaying what it forwards."""

from __future__ import annotations

from netlab.rules.scripts import IPTABLES, RuleScript, text_of

DELAY_QUEUE = 0
"""The netfilter queue of the core through which the delay line takes its packets."""


def core_rules(*, delayed: bool, loss: float) -> RuleScript:
    """The script for the core: lose some forwarded packets, and hand the others to the delay line.

    The queue has no bypass: were the delay line to die, traffic stops instead of quietly losing its delay.
    """
    rules = [f"-A FORWARD -m statistic --mode random --probability {loss:.6f} -j DROP"] if loss else []
    rules += [f"-A FORWARD -j NFQUEUE --queue-num {DELAY_QUEUE}"] if delayed else []
    return RuleScript(tool=IPTABLES, text=text_of(["*mangle", *rules, "COMMIT"]))
