from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from launch_tui.domain.document import read_document
from launch_tui.tui.editing import write_yaml

TEXTS = st.text() | st.sampled_from(
    ["1e-3", "no", "0o17", "017", "2026-11-22", "~", "null", "1_000", "1:30", ".5", "=", "a: b",
     "line\nline\n", "x\n\n", " y\n z", "True", "0x1F", "<<", "\u0085", "{{n}}"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | TEXTS
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_what_is_written_for_a_person_reads_as_the_same(values):
    assert read_document(write_yaml(values) + "\n", "text") == values
