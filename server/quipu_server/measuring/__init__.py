"""What the server tells of its work in numbers. Nothing here knows how they are shown, or what a call or a space is."""

from quipu_server.measuring.distribution import Distribution
from quipu_server.measuring.meter import Measurements, Meter
from quipu_server.measuring.metrics import Kind, Metric, Sample, Source

__all__ = ["Distribution", "Kind", "Measurements", "Meter", "Metric", "Sample", "Source"]
