"""Fuzzers of everything that reads what a stranger wrote; ``just fuzz [seconds] [target…]``."""
