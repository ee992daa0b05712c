"""Labs without root: in a user namespace, in which their user is root.

:func:`netlab.rootless.world.enter` is the whole of it for a program; ``python -m netlab.rootless PROGRAM...``
does it for any other.
"""
