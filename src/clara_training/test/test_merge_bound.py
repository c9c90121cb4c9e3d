# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How much a model bears of its adapters together: measured, kept to, and written down."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
import yaml
from clara_training.base import find_base
from clara_training.cli import commands
from clara_training.errors import BaseModelError, MergeError
from clara_training.manifest import write_manifest
from clara_training.merge import members_of, merge_adapters
from clara_training.merge_bound import FARTHEST, TEXT, _largest, find_bound
from clara_training.merge_config import MergeSettings
from clara_training.merge_mergekit import run_mergekit
from click.testing import CliRunner
from test_merge import WEIGHTS, changes, far, load, make
from transformers import AutoModelForCausalLM

from clara_training import merge_bound


@pytest.fixture(scope="module")
def learned():
    """Return the weights of a base that knows the text that the bound is measured on."""
    model = tiny.llama()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    paragraphs = tiny.tokenizer()(TEXT.read_text().split("\n\n"))["input_ids"]
    for _ in range(8):
        for ids in paragraphs:
            batch = torch.tensor([ids[:256]])
            model(batch, labels=batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    return model.state_dict()


@pytest.fixture
def place(tmp_path, learned):
    def model():
        made = tiny.llama()
        made.load_state_dict(learned)
        return made

    return make(tmp_path, model)


def whole_change(run):
    """Return the sum of the weighted changes by tensor, in float64."""
    total = {}
    for name, weight in WEIGHTS.items():
        for target, change in changes(run, name).items():
            total[target] = total.get(target, 0.0) + weight * change
    return total


def size(tensors):
    return math.sqrt(sum(float(np.square(each).sum()) for each in tensors))


def bound_of(place, limit, told=None):
    run, spec = place
    told = [] if told is None else told
    base = find_base(spec.base_model)
    return find_bound(run / "adapters", base, members_of(run, spec), limit, tell=told.append)


def nats_at(place, weights):
    """Return the mean negative log-likelihood of the text, adapters merged by the formula."""
    run, _ = place
    model = AutoModelForCausalLM.from_pretrained(run.parent / "base")
    with torch.no_grad():
        for name, weight in weights.items():
            for target, change in changes(run, name).items():
                model.get_parameter(target).add_(torch.from_numpy(weight * change).float())
        total = count = 0
        for paragraph in TEXT.read_text().split("\n\n"):
            ids = torch.tensor([tiny.tokenizer().encode(paragraph.strip())[:256]])
            total += float(model(ids, labels=ids).loss) * (ids.shape[1] - 1)
            count += ids.shape[1] - 1
    return total / count


def test_the_costs_are_those_of_each_alone_and_of_all_at_the_limit(place):
    bound = bound_of(place, 1.02)
    start = nats_at(place, {})
    assert bound.names == tuple(WEIGHTS) and bound.limit == pytest.approx(math.log(1.02))
    for at, name in enumerate(WEIGHTS):
        wanted = max(0.0, nats_at(place, {name: 1.0}) - start)
        assert bound.costs[at][at] == pytest.approx(wanted, abs=1e-4)
    share = bound.share(WEIGHTS)
    assert 0 < share < 1
    together = {name: share * weight for name, weight in WEIGHTS.items()}
    assert nats_at(place, together) - start == pytest.approx(bound.limit, rel=0.04)


def test_the_bound_is_the_size_at_which_general_text_has_become_as_hard_as_allowed(place):
    run, _ = place
    told = []
    bound = bound_of(place, 1.02, told)
    document = json.loads((run / "adapters" / "together.json").read_text())
    assert bound.reached and 0 < bound.size < size(whole_change(run).values())
    within = [each for each in document["points"] if each["size"] <= bound.size * (1 + 1e-9)]
    beyond = [each for each in document["points"] if each["size"] > bound.size * (1 + 1e-9)]
    assert max(each["perplexity_ratio"] for each in within) <= 1.02
    assert all(each["perplexity_ratio"] > 1.02 for each in beyond) and beyond
    assert bound.share({"warmth": 1e-6}) == 1.0 == bound.share({})
    assert "general text bears" in told[0]
    # It is there now, and not measured again until something else is asked.
    assert bound_of(place, 1.02, told) == bound and len(told) == 1
    assert bound_of(place, 1.01, told).size < bound.size and len(told) == 2
    (run / "adapters" / "together.json").write_text("[")
    bound_of(place, 1.02, told)
    assert len(told) == 3


@pytest.mark.parametrize("method", ["task_arithmetic", "linear", "ties", "dare_linear"])
def test_a_merge_keeps_to_the_bound_and_to_its_direction(place, method):
    run, spec = place
    base = load(run.parent / "base")
    free = load(merge_adapters(run, spec, MergeSettings(method=method)).folder)
    kept = merge_adapters(run, spec, MergeSettings(method=method, perplexity_limit=1.02))
    assert not kept.was_there
    got = load(kept.folder)
    bound = bound_of(place, 1.02)
    assert size(got[name] - base[name] for name in got) == pytest.approx(bound.size, rel=1e-4)
    share = kept.metrics["share"]
    assert 0 < share < 1 and kept.metrics["live_share"] == pytest.approx(bound.share(WEIGHTS))
    wanted = {name: base[name] + share * (free[name] - base[name]) for name in base}
    assert far(got, wanted) <= 1e-6
    # The configuration is of what was merged: mergekit makes the same of it.
    config = yaml.safe_load((run / "configs" / "clara_full_merge.yaml").read_text())
    (run / "again").mkdir()
    run_mergekit(config, run / "again", 0)
    # (A number at ties' threshold may fall on its other side, by rounding.)
    assert far(load(run / "again"), got) <= 1e-3 < 0.1 * far(free, got)
    meaning = json.loads((run / "configs" / "clara_merge.json").read_text())["meaning"]
    assert any(line.startswith(f"warmth 0.8: {0.8 * share:.3g} of what") for line in meaning)
    again = merge_adapters(run, spec, MergeSettings(method=method, perplexity_limit=1.02))
    assert again.was_there


def test_a_merge_computes_on_the_threads_it_is_given_and_they_change_no_product(place):
    run, spec = place
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        settings = MergeSettings(perplexity_limit=1.02, threads=1)
        assert not merge_adapters(run, spec, settings).was_there
        assert torch.get_num_threads() == 1
        assert merge_adapters(run, spec, MergeSettings(perplexity_limit=1.02)).was_there
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("left_out", ["in the spec", "by --only"])
def test_a_slider_of_what_is_not_merged_is_bounded_as_well(place, left_out):
    run, spec = place
    settings, only = MergeSettings(perplexity_limit=1.02), ("warmth", "medical")
    if left_out == "in the spec":
        spec, only = replace(spec, personality={"warmth": 0.8, "formal": 0.0}), ()

    def written():
        return json.loads((run / "adapters" / "together.json").read_text())

    merge_adapters(run, spec, settings, dimensions=only)
    assert written()["names"] == ["warmth", "medical", "formal"]
    alone = nats_at(place, {"formal": 1.0}) - nats_at(place, {})
    assert written()["costs"][2][2] == pytest.approx(max(0.0, alone), abs=1e-4)
    merged = {"warmth": 0.8, "medical": 0.7}
    assert written()["settings"]["weights"] == merged
    # An adapter of another base has no slider.
    write_manifest(run / "adapters" / "formal", "lora", {"base": "0" * 64}, {}, {})
    assert merge_adapters(run, spec, settings, dimensions=only).was_there
    assert written()["names"] == ["warmth", "medical"]


def test_what_one_adapter_costs_with_others_that_were_not_measured_adds_up():
    costs = merge_bound._costs({"a": 9.0, "b": 0.25}, {"a": 0.5}, together=1.0)
    assert costs == [[4.0, 1.0], [1.0, 0.25]]


def test_a_merge_that_is_borne_is_left_as_it_is(place):
    run, spec = place
    free = load(merge_adapters(run, spec, MergeSettings()).folder)
    kept = merge_adapters(run, spec, MergeSettings(perplexity_limit=1e6))
    assert far(load(kept.folder), free) == 0
    assert kept.metrics["share"] == kept.metrics["live_share"] == 1.0


def test_what_has_no_bound_says_so(place):
    run, spec = place
    told = []
    settings = MergeSettings(method="multislerp", perplexity_limit=1.3)
    merge_adapters(run, spec, settings, tell=told.append)
    assert "multislerp" in told[0] and not (run / "adapters" / "together.json").exists()
    other = tiny.save(tiny.llama(), run.parent / "other")
    with pytest.raises(MergeError, match="other is a whole model"):
        merge_adapters(run, spec, MergeSettings(perplexity_limit=1.3), others={str(other): 0.5})
    with pytest.raises(MergeError, match=r"must be above 1, not 0\.5"):
        merge_adapters(run, spec, MergeSettings(perplexity_limit=0.5))


@pytest.mark.parametrize("method", ["slerp", "multislerp"])
def test_a_bound_of_an_earlier_merge_goes_with_a_method_that_has_none(place, method):
    run, spec = place
    file = run / "adapters" / "together.json"
    only = tuple(WEIGHTS)[:2]
    merge_adapters(run, spec, MergeSettings(perplexity_limit=1.3), dimensions=only)
    earlier = file.read_bytes()
    settings = MergeSettings(method=method, perplexity_limit=1.3)
    merge_adapters(run, spec, settings, dimensions=only)
    assert not file.exists()
    # Nor does it stay where that merge is there already.
    file.write_bytes(earlier)
    assert merge_adapters(run, spec, settings, dimensions=only).was_there
    assert not file.exists()


def test_a_bound_that_is_removed_or_damaged_is_written_anew_for_a_merge_that_is_there(place):
    run, spec = place
    file = run / "adapters" / "together.json"
    settings = MergeSettings(method="ties", perplexity_limit=1.3)
    merge_adapters(run, spec, settings)
    wanted = json.loads(file.read_text())
    for damage in (file.unlink, lambda: file.write_text("{")):
        damage()
        assert merge_adapters(run, spec, settings).was_there
        assert json.loads(file.read_text()) == wanted
    told, before = [], file.stat().st_mtime_ns
    merge_adapters(run, spec, settings, tell=told.append)
    assert not told and file.stat().st_mtime_ns == before


def test_what_a_gpu_has_no_room_for_is_measured_on_the_cpu(place, monkeypatch):
    run, spec = place
    real, devices, told = merge_bound.load_model, [], []

    def load_model(base, device):
        devices.append(device)
        if device == "cuda":
            raise BaseModelError("does not fit") from torch.OutOfMemoryError("no room")
        return real(base, device)

    monkeypatch.setattr(merge_bound, "load_model", load_model)
    monkeypatch.setattr(merge_bound, "default_device", lambda: "cuda")
    settings = MergeSettings(perplexity_limit=1.02)
    metrics = merge_adapters(run, spec, settings, tell=told.append).metrics
    assert devices == ["cuda", "cpu"] and metrics["share"] < 1
    assert "does not fit into the memory of cuda: what it bears is measured on cpu" in told[0]
    (run / "adapters" / "together.json").unlink()
    devices.clear()
    arguments = ["merge", "--run", str(run), "--spec", str(spec.path), "--device", "cpu"]
    assert CliRunner().invoke(commands, arguments).exit_code == 0 and devices == ["cpu"]


def test_memory_that_has_no_room_for_the_base_is_a_sentence(place, monkeypatch):
    def load_model(base, device):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 4 GB")

    monkeypatch.setattr(merge_bound, "load_model", load_model)
    with pytest.raises(MergeError, match=r"no room .* or merge with no limit"):
        bound_of(place, 1.02)


def test_a_rise_that_is_no_number_any_more_is_no_point(place, monkeypatch):
    run, _ = place
    real = merge_bound._Moving.nats

    def nats(self, texts):
        too_much = sum(self._at.values()) > 1.7  # the spec's are 1.8 together
        return 1e4 if too_much else real(self, texts)

    monkeypatch.setattr(merge_bound._Moving, "nats", nats)
    bound = bound_of(place, 1.02)
    points = json.loads((run / "adapters" / "together.json").read_text())["points"]
    assert points and all(math.isfinite(each["perplexity_ratio"]) for each in points)
    assert 0 < bound.share(WEIGHTS) < 1


def test_the_live_share_is_of_the_strengths_that_are_merged(place):
    run, spec = place
    settings = MergeSettings(method="task_arithmetic", perplexity_limit=1.02)
    share = merge_adapters(run, spec, settings).metrics["live_share"]
    half = merge_adapters(run, spec, replace(settings, scale=0.5)).metrics["live_share"]
    assert share < 1 and half == pytest.approx(min(1.0, 2 * share))


def test_the_command_says_what_is_borne(place):
    run, spec = place
    arguments = ["merge", "--run", str(run), "--spec", str(spec.path), "--perplexity-limit"]
    result = CliRunner().invoke(commands, [*arguments, "1.02"])
    assert result.exit_code == 0, result.output
    assert "general text bears" in result.output and "together at 0." in result.output
    result = CliRunner().invoke(commands, [*arguments, "0"])
    assert result.exit_code == 0 and "general text bears" not in result.output
    assert not (run / "adapters" / "together.json").exists()


@pytest.mark.parametrize(
    ("rise", "wanted"),
    [
        (lambda times: times**2, 0.5),
        (lambda times: times**2, 4.0),
        (lambda times: 40 * times**2, 0.26),
        (lambda times: times, 0.26),
        (lambda times: times**4, 0.26),
        (lambda times: 0.0 if times < 0.3 else math.inf, 0.26),
        (lambda times: math.nan if times > 0.5 else times**2, 0.2),
        (lambda times: times**2 - 0.5 * times, 0.26),
    ],
)
def test_the_largest_that_is_borne_is_found_in_a_few_tries(rise, wanted):
    tried = []

    def counted(times):
        tried.append(times)
        return rise(times)

    found, reached = _largest(counted, wanted)
    assert reached and len(tried) <= 8 and found in tried
    assert rise(found) <= wanted
    farther = found * 1.1
    assert not rise(farther) <= wanted * 0.97


def test_what_is_always_borne_or_never_is_told_apart():
    assert _largest(lambda times: 0.0, 0.26) == (FARTHEST, False)
    assert _largest(lambda times: -times, 0.26) == (FARTHEST, False)
    with pytest.raises(MergeError, match="lower learning rate"):
        _largest(lambda times: 1.0, 0.26)
