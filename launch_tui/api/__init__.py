"""What Python programs use, as ``import launch_tui`` gives it to them.

It is the use cases of ``launch_tui.sdk`` with the names and the manners of a library: keyword
arguments instead of flags, from any thread and in processes that were forked, awaitable where that
is wanted. It is the only package that knows both what is asked for (sdk) and the agent.
"""
