# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The laws of the algebra, for codes of any size; holovec and plain counting as oracles."""

import hashlib
import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from clara_memory.hdc import (
    Gist,
    ItemMemory,
    Space,
    bind,
    circular,
    embedding,
    hamming,
    level,
    position,
    sequence,
    text,
    unbind,
)
from hypothesis import given, settings
from hypothesis import strategies as st

SPACES = st.sampled_from([Space(64), Space(128, 3), Space(1024, 1), Space(10_000), Space(10_048)])
NAMES = st.text(max_size=12)
SPACE = Space()


def alike(first, second, space=SPACE):
    return float(space.similarity(first, second))


@given(SPACES, NAMES, NAMES, NAMES)
@settings(max_examples=60, deadline=None)
def test_binding_is_its_own_inverse_commutes_associates_and_keeps_distances(space, x, y, z):
    a, b, c = (space.symbol(name) for name in (x, y, z))
    assert (unbind(bind(a, b), b) == a).all()
    assert (bind(a, b) == bind(b, a)).all()
    assert (bind(bind(a, b), c) == bind(a, bind(b, c))).all()
    assert hamming(bind(a, c), bind(b, c)) == hamming(a, b)
    assert not bind(a, a).any()


@given(SPACES, NAMES, NAMES, st.integers(-20_000, 20_000), st.integers(-500, 500))
@settings(max_examples=60, deadline=None)
def test_permuting_is_a_group_and_distributes_over_binding(space, x, y, k, m):
    a, b = space.symbol(x), space.symbol(y)
    assert (space.permute(space.permute(a, k), -k) == a).all()
    assert (space.permute(space.permute(a, k), m) == space.permute(a, k + m)).all()
    assert (space.permute(a, space.dimensions) == a).all()
    assert (space.permute(bind(a, b), k) == bind(space.permute(a, k), space.permute(b, k))).all()
    assert hamming(space.permute(a, k), space.permute(b, k)) == hamming(a, b)


@given(SPACES, st.lists(NAMES, min_size=1, max_size=9), st.randoms(), st.data())
@settings(max_examples=60, deadline=None)
def test_bundling_counts_exactly_whatever_the_order(space, names, chance, data):
    weights = data.draw(
        st.lists(st.integers(0, 9), min_size=len(names), max_size=len(names)).filter(any)
    )
    codes = space.symbols(names)
    bundled = space.bundle(codes, weights)
    bits = space.to_bits(codes).astype(int)
    counted = 2 * (bits * np.array(weights)[:, None]).sum(axis=0) - sum(weights)
    decided = counted != 0
    assert (space.to_bits(bundled)[decided] == (counted > 0)[decided]).all()
    order = list(range(len(names)))
    chance.shuffle(order)
    again = space.bundle(codes[order], [weights[place] for place in order])
    assert (again == bundled).all()
    assert (space.from_bits(space.to_bits(bundled)) == bundled).all()


@given(SPACES, st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_no_bit_past_the_dimensions_is_ever_set(space, seed):
    codes = space.random(4, np.random.default_rng(seed))
    for made in (codes, space.bundle(codes), space.permute(codes, 77)):
        assert (space.from_bits(space.to_bits(made)) == made).all()


def test_a_bundle_is_like_its_members_and_ties_favour_neither_side():
    rng = np.random.default_rng(1)
    for count in (2, 3, 4, 8):
        codes = SPACE.random(count, rng)
        bundled = SPACE.bundle(codes)
        assert all(alike(bundled, code) > 0.2 for code in codes)
        assert abs(SPACE.to_bits(bundled).mean() - 0.5) < 0.025
    pairs = [SPACE.bundle(SPACE.random(4, rng)) for _ in range(40)]
    unrelated = [alike(a, b) for a, b in itertools.pairwise(pairs)]
    assert abs(np.mean(unrelated)) < 0.01


@given(SPACES, st.lists(NAMES, min_size=4, max_size=4), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_the_short_way_for_four_codes_gives_what_counting_gives(space, names, weight):
    codes = space.symbols(names)
    bundled = space.bundle(codes)
    assert (bundled == space.bundle(codes, [weight] * 4)).all()
    ones = space.to_bits(codes).sum(axis=0)
    assert (space.to_bits(bundled)[ones != 2] == (ones > 2)[ones != 2]).all()


def test_batches_give_what_single_records_give():
    rng = np.random.default_rng(2)
    roles = SPACE.random(4, rng)
    fillers = SPACE.random(32 * 4, rng).reshape(32, 4, SPACE.words)
    batch = SPACE.record(roles, fillers)
    for number in range(32):
        assert (batch[number] == SPACE.record(roles, fillers[number])).all()


def test_a_record_gives_back_its_fillers():
    roles = SPACE.symbols(["subject", "action", "object", "result"])
    names = [["CLARA", "BOB"], ["TAKE", "DROP"], ["CUP", "MUG"], ["OK", "FAILED"]]
    record = SPACE.record(roles, SPACE.symbols([pair[1] for pair in names]))
    for role, pair in zip(roles, names, strict=True):
        name, similarity = ItemMemory(SPACE, pair).cleanup(unbind(record, role))
        assert name == pair[1] and similarity > 0.3


def test_levels_fall_off_evenly_and_circles_come_round():
    for a, b in ((0.0, 0.0), (0.0, 1.0), (0.2, 0.5), (0.9, 0.4)):
        expected = 1 - abs(a - b)
        assert alike(level(SPACE, "x", a, 0, 1), level(SPACE, "x", b, 0, 1)) == pytest.approx(
            expected, abs=2e-3
        )
    for a, b, expected in ((23, 1, 1 - 8 / 24), (0, 12, -1), (6, 18, -1), (5, 5, 1), (22, 4, 0)):
        similarity = alike(circular(SPACE, "day", a, 24), circular(SPACE, "day", b, 24))
        assert similarity == pytest.approx(expected, abs=2e-3)


def test_near_positions_texts_and_vectors_are_more_alike_than_far_ones():
    here, near, far = (
        position(SPACE, "map", place, -10, 10) for place in ((1, 2, 0), (1.5, 2, 0), (8, -7, 0))
    )
    assert alike(here, near) > alike(here, far) + 0.3
    assert alike(text(SPACE, "teapot"), text(SPACE, "teapt")) > 0.3
    assert abs(alike(text(SPACE, "teapot"), text(SPACE, "window"))) < 0.1
    vectors = np.array([[1.0, 0, 0], [1.0, 0.1, 0], [0, 1.0, 0]])
    one, two, three = embedding(SPACE, vectors)
    assert alike(one, two) > 0.9 and abs(alike(one, three)) < 0.05


def test_a_sequence_knows_what_stood_where():
    names = ["TAKE", "WASH", "DRY", "STORE"]
    whole = sequence(SPACE, SPACE.symbols(names))
    known = ItemMemory(SPACE, names)
    for place, name in enumerate(names):
        assert known.cleanup(SPACE.permute(whole, -place))[0] == name


GOLDEN = {
    "symbol": "c5ba0401dcf6a037",
    "record": "d1f6c81a4e7a9f11",
    "level": "6eb95a9b5e33037e",
    "circular": "8f8a8c16579246ec",
    "text": "e2d8dd642519e3bf",
}


def golden():
    """Return a short hash of codes of each kind."""
    roles, fillers = SPACE.symbols(["a", "b", "c", "d"]), SPACE.symbols(["1", "2", "3", "4"])
    made = {
        "symbol": SPACE.symbol("CUP ☕"),
        "record": SPACE.record(roles, fillers),
        "level": level(SPACE, "speed", 0.25, 0, 1),
        "circular": circular(SPACE, "heading", 270, 360),
        "text": text(SPACE, "teapot"),
    }
    return {name: hashlib.sha256(code.tobytes()).hexdigest()[:16] for name, code in made.items()}


def test_codes_are_the_same_in_every_process_python_and_numpy():
    assert golden() == GOLDEN
    here = os.path.dirname(__file__)
    script = f"import sys; sys.path.insert(0, {here!r}); import test_hdc; print(test_hdc.golden())"
    for seed in ("0", "1234"):
        told = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert eval(told.stdout) == GOLDEN


def test_holovec_agrees_on_binding_bundling_and_similarity():
    holovec = pytest.importorskip("holovec")
    theirs = holovec.VSA.create("BSC", dim=1024, seed=1)
    space = Space(1024)
    codes = space.random(5, np.random.default_rng(5))
    bits = [space.to_bits(code).astype(np.int32) for code in codes]
    assert (np.asarray(theirs.bind(bits[0], bits[1])) == space.to_bits(bind(*codes[:2]))).all()
    majority = np.asarray(theirs.bundle(bits))
    assert (majority == space.to_bits(space.bundle(codes))).all()
    shifted = np.asarray(theirs.permute(bits[0], k=3))
    assert (shifted == space.to_bits(space.permute(codes[0], 3))).all()


def test_torchhd_agrees_on_binding_and_odd_bundles():
    torch = pytest.importorskip("torch")
    torchhd = pytest.importorskip("torchhd")
    space = Space(1024)
    codes = space.random(5, np.random.default_rng(6))
    bits = torchhd.BSCTensor(torch.from_numpy(space.to_bits(codes).astype(bool)))
    bound = torchhd.bind(bits[0], bits[1]).numpy()
    assert (bound == space.to_bits(bind(*codes[:2])).astype(bool)).all()
    assert (torchhd.multibundle(bits).numpy() == space.to_bits(space.bundle(codes))).all()


def test_a_gist_answers_merges_and_forgets_exactly():
    records = [["R", f"A{n % 9}", f"O{n}", "OK"] for n in range(150)]
    gist, other = Gist(SPACE), Gist(SPACE)
    blocks = [gist.add(record) for record in records[:90]]
    for record in records[90:]:
        other.add(record)
    actions = [f"A{n}" for n in range(9)]
    before = gist.to_bytes()
    extra = gist.add(["R", "A0", "EXTRA", "OK"])
    gist.subtract(["R", "A0", "EXTRA", "OK"], extra)
    assert gist.to_bytes() == before and set(blocks) == {0}
    gist.merge(other)
    assert len(gist) == 150
    for reader in (gist, Gist.from_bytes(gist.to_bytes())):
        right = [
            reader.ask(["R", None, f"O{n}", "OK"], actions)[0][0] == f"A{n % 9}"
            for n in range(150)
        ]
        assert sum(right) >= 148
    assert gist.ask(["R", None, "NEVER", "OK"], actions)[0][1] < 5.0


@pytest.mark.parametrize(
    "damage", [lambda b: b[:50], lambda b: b"x" * 60, lambda b: b[:-1] + b"!"]
)
def test_a_damaged_gist_is_refused(damage):
    gist = Gist(SPACE)
    gist.add(["a", "b", "c", "d"])
    with pytest.raises(ValueError, match="gist"):
        Gist.from_bytes(damage(gist.to_bytes()))


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda: Space(100), "multiple of 64"),
        (lambda: Space(0), "multiple of 64"),
        (lambda: SPACE.similarity(Space(64).symbol("a"), SPACE.symbol("a")), "shape"),
        (lambda: SPACE.permute(np.zeros(157)), "dtype float64"),
        (lambda: SPACE.bundle(SPACE.symbol("a")), "expected"),
        (lambda: SPACE.bundle(SPACE.symbols([])), "expected"),
        (lambda: SPACE.bundle(SPACE.symbols(["a"]), [0]), "not all 0"),
        (lambda: ItemMemory(SPACE).cleanup(SPACE.symbol("a")), "empty"),
        (lambda: level(SPACE, "x", float("nan"), 0, 1), "finite"),
        (lambda: position(SPACE, "x", [1.0], 0, 1), "2 or 3"),
        (lambda: Gist(SPACE).add(["a"]), "4 roles"),
    ],
)
def test_mistakes_are_told(mistake, said):
    with pytest.raises(ValueError, match=said):
        mistake()


def test_the_tour_runs():
    told = subprocess.run(
        [sys.executable, "-m", "clara_memory.hdc"], capture_output=True, text=True, check=True
    )
    assert "Ask it for its object: CUP" in told.stdout
