from __future__ import annotations

import math
import struct

import pytest

from launch_tui.tracking.decoding import MAX_VALUE, Decoder
from launch_tui.tracking.protobuf import Malformed
from launch_tui.tracking.records import Config, Exit, Metric, Stats, Version
from tests.tracking import encoding
from tests.tracking.encoding import item, number, sized


def decoded(data):
    return Decoder().decode(data)


def row(values):
    return decoded(encoding.history(3, values)).values


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"1", 1),
        (b"-3", -3),
        (b"0.25", 0.25),
        (b"1e-3", 0.001),
        (b"1.1805916207174113e+21", 2.0**70),
        (b"Infinity", math.inf),
        (b"-Infinity", -math.inf),
        (b"true", True),
        (b"false", False),
        (b"null", None),
        (b'"text \\u00e9"', "text é"),
        (b"[1,2]", [1, 2]),
        (b"9" * 5_000, "9" * 5_000),
        (b"{broken", "{broken"),
    ],
)
def test_values_of_the_history(raw, value):
    assert row({"k": raw}) == {"k": value}


def test_nan_is_kept():
    assert math.isnan(row({"k": b"NaN"})["k"])


def test_the_value_kinds_that_the_schema_of_031_adds():
    items = [
        sized(2, b"none") + number(3, 0),
        sized(2, b"yes") + number(4, 1),
        sized(2, b"minus") + number(5, 5),
        sized(2, b"half") + bytes([6 << 3 | 1]) + struct.pack("<d", 0.5),
        sized(2, b"text") + sized(7, b"abc"),
        sized(2, b"json") + sized(8, b'{"a": {"b": 2}}'),
    ]
    data = sized(2, b"".join(sized(1, one) for one in items))
    assert decoded(data).values == {
        "none": None,
        "yes": True,
        "minus": -3,
        "half": 0.5,
        "text": "abc",
        "json.a.b": 2,
    }


def test_nested_keys_are_joined_however_they_were_written():
    assert row({("d", "y", "z"): 1}) == row({"d": {"y": {"z": 1}}}) == {"d.y.z": 1}
    assert row({("a.b",): 1}) == row({("a", "b"): 1}) == {"a.b": 1}


def test_media_stays_one_value_however_it_was_written():
    picture = {"_type": "image-file", "path": "media/x.png", "size": 3}
    whole = row({"val": {"picture": picture}, "loss": 1})
    in_parts = row({("val", "picture", k): v for k, v in picture.items()} | {("loss",): 1})
    assert whole == in_parts == {"val.picture": picture, "loss": 1}


def test_many_media_values_in_a_row_take_no_more_than_their_number():
    values = {(f"m{n}", part): "x" for n in range(5_000) for part in ("_type", "path")}
    assert len(row(values)) == 5_000


def test_step_comes_from_the_record_else_from_the_row():
    assert decoded(encoding.history(300, {"a": 1})).step == 300
    assert decoded(sized(2, sized(1, item("_step", b"12")))).step == 12
    assert decoded(sized(2, sized(1, item("a", b"12")))).step is None


def test_config_with_removals():
    change = decoded(encoding.config({"lr": 0.1, ("n", "a"): [1]}, removed=[("old", "x")]))
    assert change == Config(update={("lr",): 0.1, ("n", "a"): [1]}, removed=(("old", "x"),))


def test_the_rare_records():
    assert decoded(encoding.exit_record(255)) == Exit(code=255)
    assert decoded(encoding.exit_record(-2)).code == -2
    assert decoded(encoding.header("0.31.0+15f8cbc")) == Version(wandb="0.31.0")
    assert decoded(sized(11, sized(5, b"0.16.6"))) == Version(wandb="0.16.6")
    metric = sized(12, sized(1, b"loss") + sized(4, b"epoch"))
    assert decoded(metric) == Metric(name="loss", step_metric="epoch")
    seen = decoded(encoding.stats(1_700_000_000, {"cpu": 2.5, "gpu.0.temp": 60}))
    assert seen == Stats(timestamp=1_700_000_000.0, values={"cpu": 2.5, "gpu.0.temp": 60})


def test_unknown_records_are_nothing():
    assert decoded(number(1, 5) + sized(13, b"\x0a\x03abc")) is None


@pytest.mark.parametrize(
    "data", [b"\x12", b"\x12\x05a", b"\x0f", b"\x12\x02\x0a\x00", b"\xff" * 12]
)
def test_bytes_that_are_no_record_are_told(data):
    with pytest.raises(Malformed):
        decoded(data)


def test_deep_and_long_values_cannot_hurt_who_keeps_them():
    deep = b"[" * 900 + b"]" * 900
    assert row({"k": deep}) == {"k": deep.decode()}
    assert row({"k": b'"' + b"[" * 900 + b'"'}) == {"k": "[" * 900}
    long = b'"' + b"x" * MAX_VALUE + b'"'
    assert row({"k": long}) == {"k": {"_type": "too-large", "size": len(long)}}
