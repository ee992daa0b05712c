"""Programs that use the library, each run by a test."""
