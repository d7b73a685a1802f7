"""Measures Quipu: `python -m bench.quality` what it finds, `python -m bench` how fast."""
