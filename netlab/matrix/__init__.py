"""Every pair of NATs, for any program: what happened, held against what physics says.

::

    contract     a TOML file that says how a program is started, and what it is given
    claim        the JSON line in which a program says what it achieved
    scene        the two sides of a lab: which routers, which public address
    observation  what the lab saw between the two sides, whatever the program says
    verdict      outcome against physics
    attempt      one program, one pair, one lab
    artefacts    what is kept of an attempt: captures, rules, mappings, output
    runner       all attempts, some side by side, until they are done or interrupted
    results      the values that come of it, and their JSON
    markdown     the same as GitHub tables
    page         the same as one HTML file
    output       the folder that all of it is written to
    progress     what is told meanwhile
"""
