"""The Docker engine, image registries and docker command lines: what builders and targets share.

Everything that talks to an engine or a registry is here, once. It knows images and containers by
their names and nothing of runs.
"""
