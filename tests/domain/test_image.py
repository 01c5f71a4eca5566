"""Names of images, against the grammar that Docker documents."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_tui.domain.image import ImageReference, parse_image
from launch_tui.errors import UsageError

SHA = "sha256:" + "0123456789abcdef" * 4

# The reference grammar, written again as its documentation has it
# (https://pkg.go.dev/github.com/distribution/reference), to be compared with.
COMPONENT = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
HOST = rf"(?:{COMPONENT}(?:\.{COMPONENT})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
PATH = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
DIGEST = r"sha256:[0-9a-f]{64}"
GRAMMAR = re.compile(
    rf"(?:{HOST}/)?{PATH}(?:/{PATH})*(?::{TAG})?(?:@{DIGEST})?", re.ASCII
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "digest"),
    [
        ("python", "docker.io", "library/python", "", ""),
        ("python:3.11", "docker.io", "library/python", "3.11", ""),
        ("docker.io/python:3", "docker.io", "library/python", "3", ""),
        ("index.docker.io/python", "docker.io", "library/python", "", ""),
        ("docker.io/library/python", "docker.io", "library/python", "", ""),
        ("team/train:v1.0-rc_2", "docker.io", "team/train", "v1.0-rc_2", ""),
        (f"python@{SHA}", "docker.io", "library/python", "", SHA),
        (f"python:3.11@{SHA}", "docker.io", "library/python", "3.11", SHA),
        ("localhost/x", "localhost", "x", "", ""),
        ("localhost:5000/x/y", "localhost:5000", "x/y", "", ""),
        (f"localhost:5000/x:1@{SHA}", "localhost:5000", "x", "1", SHA),
        ("[::1]:5000/x", "[::1]:5000", "x", "", ""),
        ("127.0.0.1:5000/x", "127.0.0.1:5000", "x", "", ""),
        ("GHCR.io/team/x", "GHCR.io", "team/x", "", ""),
        ("registry.example/a__b--c/d.e:1", "registry.example", "a__b--c/d.e", "1", ""),
        ("nvcr.io/nvidia/pytorch:24.01-py3", "nvcr.io", "nvidia/pytorch", "24.01-py3", ""),
        ("team/x", "docker.io", "team/x", "", ""),
        ("x" * 247, "docker.io", f"library/{'x' * 247}", "", ""),
        (f"x:{'t' * 128}", "docker.io", "library/x", "t" * 128, ""),
    ],
)
def test_what_docker_accepts(text, registry, repository, tag, digest):
    found = parse_image(text, field="image")
    assert found == ImageReference(registry=registry, repository=repository, tag=tag, digest=digest)
    assert parse_image(str(found), field="image") == found
    assert parse_image(found.canonical, field="image").full_name == found.full_name


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        (" python", "is not the name"),
        ("python ", "is not the name"),
        ("py thon", "is not the name"),
        ("python\n", "is not the name"),
        ("python:3\n", "is not a tag"),
        ("python\nRUN x", "is not the name"),
        ("-v", "is not the name"),
        ("--privileged", "is not the name"),
        ("Python", "has upper-case letters"),
        ("ghcr.io/Team/x", "has upper-case letters"),
        ("Team/x", "has upper-case letters"),
        ("python:", "is not a tag"),
        ("python:.1", "is not a tag"),
        ("python:-1", "is not a tag"),
        ("python:a/b", "cannot be a registry's host"),
        ("python:1:2", "is not a tag"),
        (f"x:{'t' * 129}", "is not a tag"),
        ("python@", "is not a digest"),
        ("python@sha256:abc", "is not a digest"),
        (f"python@{SHA.upper()}", "is not a digest"),
        (f"python@{SHA}0", "is not a digest"),
        (f"python@{SHA}@{SHA}", "is not a digest"),
        ("python@md5:" + "0" * 32, "is not a digest"),
        ("https://ghcr.io/x", "is an address"),
        ("docker://x", "is an address"),
        ("0123456789abcdef" * 4, "is an image's id"),
        (SHA, "is an image's id"),
        ("a//b", "is not the name"),
        ("/a", "is not the name"),
        ("a/", "is not the name"),
        ("a___b", "is not the name"),
        ("a..b", "is not the name"),
        ("a_", "is not the name"),
        (".a", "is not the name"),
        ("a.b:port/x", "cannot be a registry's host"),
        ("-a.b/x", "cannot be a registry's host"),
        ("a.b-/x", "cannot be a registry's host"),
        ("a.b:/x", "cannot be a registry's host"),
        ("user@ghcr.io/x", "is not a digest"),
        ("$(x)", "is not the name"),
        ("${base}", "is not the name"),
        ("x;y", "is not the name"),
        ("é", "is not the name"),
        ("x" * 248, "is too long"),
    ],
)
def test_what_docker_refuses(text, problem):
    with pytest.raises(UsageError) as refused:
        parse_image(text, field="base_image")
    assert problem in refused.value.problem
    assert refused.value.field == "base_image"
    assert refused.value.allowed
    assert "\n" not in str(refused.value)


ALPHABET = st.text(alphabet="ab01AZ._-:/@[] \n$é", max_size=24)
WORDS = st.lists(
    st.sampled_from(
        ["a", "b0", "A", ".", "_", "__", "-", "--", ":", "/", "@", SHA, "localhost", "ab.cd",
         "5000", "docker.io", "library", " ", "\n"]
    ),
    max_size=9,
).map("".join)  # fmt: skip


@given(st.one_of(ALPHABET, WORDS))
def test_nothing_gets_through_that_is_not_in_the_grammar(text):
    try:
        found = parse_image(text, field="image")
    except UsageError:
        return
    assert GRAMMAR.fullmatch(text)
    assert GRAMMAR.fullmatch(str(found))
    assert GRAMMAR.fullmatch(found.canonical)
    assert parse_image(str(found), field="image") == found


names = st.lists(st.from_regex(PATH, fullmatch=True), min_size=1, max_size=3).map("/".join)
hosts = st.one_of(
    st.just(""),
    st.from_regex(rf"(?a:{COMPONENT}\.{COMPONENT})(?::[0-9]{{1,5}})?/", fullmatch=True),
    st.sampled_from(["localhost/", "localhost:5000/", "[::1]:80/"]),
)
suffixes = st.one_of(
    st.just(""), st.from_regex(rf"(?a::{TAG})", fullmatch=True), st.just(f"@{SHA}")
)


@given(hosts, names.filter(lambda name: len(name) < 200), suffixes)
def test_whatever_the_grammar_writes_is_accepted(host, name, suffix):
    text = host + name + suffix
    if re.fullmatch("[a-f0-9]{64}", text):
        return
    first = name.partition("/")[0]
    if not host and "/" in name and "." in first:
        # Docker takes it for a registry.
        return
    found = parse_image(text, field="image")
    assert found.canonical.endswith(suffix or ":latest")
    assert str(found).endswith(suffix)


def test_a_tag_takes_the_place_of_a_digest_and_a_digest_keeps_the_tag():
    image = parse_image(f"localhost:5000/x:1@{SHA}", field="image")
    assert str(image.with_tag("2")) == "localhost:5000/x:2"
    assert str(parse_image("x:1", field="image").with_digest(SHA)) == f"x:1@{SHA}"
    assert image.name == "localhost:5000/x"
    for change in (lambda: image.with_tag("a b"), lambda: image.with_digest("sha256:1")):
        with pytest.raises(UsageError):
            change()


def test_the_canonical_form_has_a_registry_and_a_tag_or_digest():
    forms = {
        "python": "docker.io/library/python:latest",
        "python:3": "docker.io/library/python:3",
        f"team/x@{SHA}": f"docker.io/team/x@{SHA}",
        "localhost:5000/x": "localhost:5000/x:latest",
    }
    assert {text: parse_image(text, field="i").canonical for text in forms} == forms


@pytest.mark.parametrize(
    "text",
    ["docker.io/docker.io/x", "index.docker.io/r.a/b", "docker.io/localhost/x",
     f"docker.io/library/{'a' * 64}"],
)  # fmt: skip
def test_a_name_that_means_another_one_without_its_registry_keeps_it(text):
    """Found by the fuzzer: what is stored has to read back as the same image."""
    taken = parse_image(text, field="-d")
    assert parse_image(str(taken), field="-d") == taken
