"""Python client of Quipu, the memory service."""

__version__ = "0.1.0"
