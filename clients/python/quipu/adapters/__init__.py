"""Quipu behind the interfaces of other libraries; each adapter needs the extra of its name."""
