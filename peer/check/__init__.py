"""``peer check`` and ``@nat``: what stands between this host and the internet, and what that means."""
