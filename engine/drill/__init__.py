"""Faults injected into a copy of the workspace, and what the product makes of them."""
