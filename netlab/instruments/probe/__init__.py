"""What the router in front of this host does, measured (RFC 5780, with RFC 4787's words).

A stand-alone program of the standard library alone, run as a folder::

    python3 -I probe [--source ADDRESS] [--tcp PORT,...] [--samples N] [--idle S,S,...] [--kept S,S,...]
                     [--refresh S,N] ADDRESS OTHER-ADDRESS

The two addresses are those of ``stunserver.py``, both of one family. It prints one JSON object; what is in
it stands in ``run.py``. What it measures, it names; what it cannot name, because that takes the claim, it
reports as numbers (``ports_seen``, ``idle``).

**Silence is never waited for.** Each question whose answer may be filtered is followed by one whose answer
cannot be, to the same single-threaded server over the same road; when the second answer is here and the first
one is not, the first was dropped. Only a mapping's lifetime takes time: its own.

**Every question is asked of a socket that has spoken to nobody else, on a port that has not either.** Sockets
stay open until the end, because the kernel hands a closed one's port out again, and a NAT remembers it.

A mapping is reached without a word from its owner by RESPONSE-PORT (RFC 5780 section 7.5): another socket of
ours asks, and the server answers to the port that we name. So one host can play both sides, on one clock.
"""
