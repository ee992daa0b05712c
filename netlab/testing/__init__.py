"""Labs in the tests of any program, by pytest.

::

    plugin       the fixture nat_lab, its markers and options: what pytest loads
    markers      what the markers ask for, as topologies
    readiness    whether this machine can run labs, and whether a test may be skipped where it cannot
    post_mortem  what a lab tells of itself when a test has failed
"""
