"""Labs in Docker: the backend, the image of its nodes, and the way to an engine."""
