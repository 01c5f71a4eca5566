"""Launchers for tools that many people have already: submitit and Hydra, each an extra."""
