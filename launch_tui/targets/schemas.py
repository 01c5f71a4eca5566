"""Which keys the resource configuration of each kind of target resource has."""

from __future__ import annotations

from launch_tui.domain.config_keys import Schema
from launch_tui.domain.queue import Resource


def schema_of(resource: Resource) -> Schema:
    """Return the schema of a target resource's configuration.

    Only what is asked for is imported: a launch needs one of them at most. A resource whose own
    system checks its configuration has an open schema.
    """
    if resource is Resource.LOCAL_PROCESS:
        from launch_tui.targets.local_process_keys import SCHEMA

        return SCHEMA
    if resource is Resource.LOCAL_CONTAINER:
        from launch_tui.targets.local_container_keys import SCHEMA as OF_CONTAINERS

        return OF_CONTAINERS
    return Schema(resource=resource, open=True)
