"""Policies of retention, and the runs that apply them."""
