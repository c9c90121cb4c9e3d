# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Adapters merged into a tiny base: against formulas, against mergekit, and refused."""

import json
import resource
import shutil
from pathlib import Path

import numpy as np
import peft
import pytest
import tiny
import torch
import yaml
from clara_training.cli import commands
from clara_training.errors import AdapterError, MergeError, SpecError, StorageError
from clara_training.manifest import read_manifest, write_manifest
from clara_training.merge import merge_adapters
from clara_training.merge_config import MergeSettings
from clara_training.merge_direct import trim
from clara_training.merge_mergekit import run_mergekit
from clara_training.run_lock import LOCK_FILE
from clara_training.spec import Spec
from click.testing import CliRunner
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

WEIGHTS = {"warmth": 0.8, "formal": 0.3, "medical": 0.7}


def make(folder, make_model=tiny.llama, weights=WEIGHTS):
    """Make a base, and a run with an adapter for each weight."""
    base = tiny.save(make_model(), folder / "base")
    run = folder / "run"
    for seed, name in enumerate(weights):
        tiny.lora(make_model(), run / "adapters" / name, seed=seed)
    personality = {name: weight for name, weight in weights.items() if name != "medical"}
    expertise = {name: weight for name, weight in weights.items() if name == "medical"}
    spec = Spec(personality, expertise, str(base), 10, "ties", folder / "clara_spec.json")
    spec.path.write_text(json.dumps(spec.as_document()))
    return run, spec


@pytest.fixture
def place(tmp_path):
    return make(tmp_path)


def load(folder):
    return {
        name: t.double().numpy() for name, t in load_file(folder / "model.safetensors").items()
    }


def changes(run, name, model=None):
    """Return alpha / r · B A of an adapter by tensor, in float64."""
    folder = run / "adapters" / name
    tensors = load_file(folder / "adapter_model.safetensors")
    config = json.loads((folder / "adapter_config.json").read_text())
    found = {}
    for key, a in tensors.items():
        if "lora_A" in key:
            b = tensors[key.replace("lora_A", "lora_B")]
            change = config["lora_alpha"] / config["r"] * (b.double() @ a.double()).numpy()
            target = key.removeprefix("base_model.model.").replace(".lora_A", "")
            found[target] = change.T if config["fan_in_fan_out"] else change
    assert found
    return found


def far(got, wanted):
    """Return the largest relative distance of two models' tensors."""
    assert got.keys() == wanted.keys()
    return max(
        np.linalg.norm(got[name] - wanted[name]) / (np.linalg.norm(wanted[name]) or 1.0)
        for name in got
    )


def merge(place, **settings):
    run, spec = place
    only = settings.pop("only", ())
    others = settings.pop("others", None)
    return merge_adapters(run, spec, MergeSettings(**settings), dimensions=only, others=others)


@pytest.mark.parametrize("engine", ["direct", "mergekit"])
@pytest.mark.parametrize("method", ["task_arithmetic", "linear"])
def test_a_weight_is_how_much_of_the_change_is_added(place, method, engine):
    run, _ = place
    wanted = load(run.parent / "base")
    for name, weight in WEIGHTS.items():
        for target, change in changes(run, name).items():
            wanted[target] = wanted[target] + weight * change
    merged = merge(place, method=method, engine=engine)
    assert far(load(merged.folder), wanted) <= 1e-6
    assert far(load(run.parent / "base"), wanted) > 0.1


@pytest.mark.parametrize("method", ["task_arithmetic", "linear", "ties"])
def test_normalized_weights_are_shares_directly_and_by_mergekit(place, method):
    settings = {"method": method, "normalize": True, "scale": 0.9}
    direct = load(merge(place, engine="direct", **settings).folder)
    assert far(direct, load(merge(place, engine="mergekit", **settings).folder)) <= 1e-6
    assert far(direct, load(merge(place, method=method, engine="direct").folder)) > 1e-3


def test_peft_merges_to_the_same(place):
    run, _ = place
    model = AutoModelForCausalLM.from_pretrained(run.parent / "base")
    names = list(WEIGHTS)
    wrapped = peft.PeftModel.from_pretrained(model, run / "adapters" / names[0], names[0])
    for name in names[1:]:
        wrapped.load_adapter(run / "adapters" / name, name)
    wrapped.add_weighted_adapter(names, list(WEIGHTS.values()), "all", combination_type="cat")
    wrapped.set_adapter("all")
    theirs = wrapped.merge_and_unload().state_dict()
    merged = load(merge(place, method="task_arithmetic").folder)
    assert far(merged, {name: theirs[name].double().numpy() for name in merged}) <= 1e-6


@pytest.mark.parametrize("density", [0.3, 1.0])
def test_ties_is_the_formula_of_the_paper_with_strengths(place, density):
    run, _ = place
    wanted = load(run.parent / "base")
    all_changes = {name: changes(run, name) for name in WEIGHTS}
    for target in all_changes["warmth"]:
        parts = []
        for name, weight in WEIGHTS.items():
            change = all_changes[name][target]
            kept = int(density * change.size)
            smallest = np.sort(np.abs(change), axis=None)[change.size - kept]
            parts.append(weight * np.where(np.abs(change) >= smallest, change, 0))
        sign = np.where(sum(parts) >= 0, 1, -1)
        wanted[target] = wanted[target] + sum(np.where(np.sign(p) == sign, p, 0) for p in parts)
    merged = load(merge(place, method="ties", density=density).folder)
    assert far(merged, wanted) <= 1e-6
    mergekit = load(merge(place, method="ties", density=density, engine="mergekit").folder)
    assert far(mergekit, wanted) <= 1e-6


def test_trimming_keeps_just_the_largest():
    torch.manual_seed(0)
    change = torch.randn(37, 11)
    kept = trim(change, 0.25)
    assert int((kept != 0).sum()) == int(0.25 * change.numel())
    assert kept.abs()[kept != 0].min() > change.abs()[kept == 0].max()
    assert torch.equal(trim(change, 1.0), change)


@pytest.mark.parametrize("method", ["dare_ties", "dare_linear"])
def test_dare_keeps_the_strength_on_the_whole_and_the_seed_decides(place, method):
    run, _ = place
    only = ("warmth",)
    first = load(merge(place, method=method, only=only).folder)
    base = load(run.parent / "base")
    for target, change in changes(run, "warmth").items():
        dropped = np.isclose(first[target], base[target], atol=1e-7).mean()
        assert 0.4 < dropped < 0.6
        # What is left is scaled up to the same sum of magnitudes.
        total = np.abs(first[target] - base[target]).sum()
        assert total == pytest.approx(0.8 * np.abs(change).sum(), rel=1e-2)
    other = merge(place, method=method, only=only, seed=1)
    assert not other.was_there
    assert far(load(other.folder), first) > 1e-3
    assert far(load(merge(place, method=method, only=only).folder), first) == 0


def slerp(t, start, end):
    cosine = (start * end).sum() / np.linalg.norm(start) / np.linalg.norm(end)
    if abs(cosine) > 0.9995:
        return (1 - t) * start + t * end
    angle = np.arccos(cosine)
    return (np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle)


@pytest.mark.parametrize("only", [("warmth",), ("warmth", "formal")])
def test_slerp_goes_along_the_arc(place, only):
    run, _ = place
    base = load(run.parent / "base")
    ends = [{**base, **{t: base[t] + c for t, c in changes(run, name).items()}} for name in only]
    start, end, t = (base, ends[0], 0.8) if len(ends) == 1 else (*ends, 0.3 / 1.1)
    wanted = {name: slerp(t, start[name], end[name]) for name in base}
    assert far(load(merge(place, method="slerp", only=only).folder), wanted) <= 1e-5


def test_multislerp_lies_among_the_adapters(place):
    run, _ = place
    base = load(run.parent / "base")
    merged = load(merge(place, method="multislerp").folder)
    shares = {name: weight / sum(WEIGHTS.values()) for name, weight in WEIGHTS.items()}
    mean = dict(base)
    for name, share in shares.items():
        for target, change in changes(run, name).items():
            mean[target] = mean[target] + share * change
    assert far(merged, mean) < 0.25 * far(base, mean)


def test_gpt2_keeps_its_weights_the_other_way_round(tmp_path):
    run, spec = make(tmp_path, tiny.gpt2, {"warmth": 0.8})
    wanted = load(run.parent / "base")
    for target, change in changes(run, "warmth").items():
        wanted[target] = wanted[target] + 0.8 * change
    merged = merge((run, spec), method="task_arithmetic")
    assert far(load(merged.folder), wanted) <= 1e-6


def test_the_merged_folder_is_a_model_with_tokenizer_template_and_manifest(place):
    run, spec = place
    merged = merge(place, method="ties")
    model = AutoModelForCausalLM.from_pretrained(merged.folder)
    assert model.dtype is torch.float32
    tokenizer = AutoTokenizer.from_pretrained(merged.folder)
    assert tokenizer.chat_template == tiny.CHATML
    assert tokenizer.get_vocab() == tiny.tokenizer().get_vocab()
    manifest = read_manifest(merged.folder)
    assert manifest["settings"]["weights"] == WEIGHTS
    assert set(manifest["inputs"]) == {"base", *(f"adapter {name}" for name in WEIGHTS)}
    assert manifest["metrics"]["relative_change"] > 0.01
    assert merge(place, method="ties").was_there
    assert not merge(place, method="ties", density=0.4).was_there
    assert spec.base_model == manifest["settings"]["base_model"]
    assert {path.name for path in run.iterdir()} == {"adapters", "configs", "merged", LOCK_FILE}


def test_a_spec_becomes_a_configuration_that_mergekit_runs_as_it_is(place):
    from clara_training.merge_mergekit import run_mergekit

    run, _ = place
    merged = load(merge(place, method="ties").folder)
    path = run / "configs" / "clara_full_merge.yaml"
    assert "# warmth 0.8: 0.8 of what is kept of its change." in path.read_text()
    config = yaml.safe_load(path.read_text())
    assert config["merge_method"] == "ties"
    assert config["parameters"] == {"normalize": False, "lambda": 1.0}
    assert [m["parameters"]["weight"] for m in config["models"]] == list(WEIGHTS.values())
    output = run / "again"
    output.mkdir()
    run_mergekit(config, output, 0)
    assert far(load(output), merged) <= 1e-6
    record = json.loads((run / "configs" / "clara_merge.json").read_text())
    assert record["weights"] == WEIGHTS
    assert record["mergekit"] == config


def test_dare_of_the_research_format_is_dare_ties_and_a_weight_of_0_stays_out(tmp_path):
    run, spec = make(tmp_path, weights={"warmth": 0.8, "formal": 0.0})
    merge((run, spec), method="dare")
    config = yaml.safe_load((run / "configs" / "clara_full_merge.yaml").read_text())
    assert config["merge_method"] == "dare_ties"
    assert len(config["models"]) == 1


def test_a_whole_model_is_merged_as_well(place):
    run, _ = place
    base = load(run.parent / "base")
    model = tiny.llama()
    with torch.no_grad():
        model.model.norm.weight += 0.5
    other = tiny.save(model, run.parent / "other")
    merged = merge(place, method="task_arithmetic", only=("warmth",), others={str(other): 0.5})
    got = load(merged.folder)
    np.testing.assert_allclose(got["model.norm.weight"], base["model.norm.weight"] + 0.25, 1e-6)


@pytest.mark.parametrize("method", ["linear", "ties", "slerp"])
def test_a_folder_may_have_signs_at_which_mergekit_takes_names_apart(tmp_path, method):
    plain, odd = make(tmp_path / "plain"), make(tmp_path / "me+you@home")
    settings = {"method": method, "only": ("warmth",)}
    wanted = load(merge(plain, engine="mergekit", **settings).folder)
    assert far(load(merge(odd, engine="mergekit", **settings).folder), wanted) == 0
    model = tiny.llama()
    with torch.no_grad():
        model.model.norm.weight += 0.5
    other = tiny.save(model, odd[0].parent / "other+one")
    both = {"method": "linear", "only": ("warmth",), "others": {str(other): 0.5}}
    direct = load(merge(odd, engine="direct", **both).folder)
    assert far(load(merge(odd, engine="mergekit", **both).folder), direct) <= 1e-6


def refused(place, sentence, error=MergeError, **settings):
    run, _ = place
    with pytest.raises(error, match=sentence):
        merge(place, **settings)
    assert not (run / "merged").exists()
    assert not (run / "configs").exists()


def test_another_tokenizer_is_refused_before_anything_is_written(place):
    run, _ = place
    tokens = tiny.tokenizer()
    tokens.add_tokens(["<robot>"])
    other = tiny.save(tiny.llama(), run.parent / "other", tokens)
    refused(place, r"another tokenizer .*: 385 tokens against 384", others={str(other): 0.5})
    path = other / "tokenizer.json"
    document = json.loads((run.parent / "base" / "tokenizer.json").read_text())
    vocab = document["model"]["vocab"]
    vocab["a"], vocab["b"] = vocab["b"], vocab["a"]
    path.write_text(json.dumps(document))
    refused(place, r"the token 'a' is \d+ there and \d+ in the base", others={str(other): 0.5})


def test_another_shape_is_refused_before_anything_is_written(place):
    run, _ = place
    other = tiny.save(tiny.llama(intermediate_size=128), run.parent / "other")
    refused(place, r"mlp\.down_proj\.weight is 64x128 there and 64x96", others={str(other): 0.5})
    shutil.rmtree(run / "adapters" / "formal")
    tiny.lora(tiny.llama(hidden_size=32), run / "adapters" / "formal", seed=1)
    refused(place, r"adapter formal does not fit the base .* in the base and .* in the adapter")


def test_an_adapter_of_another_base_of_the_same_shape_is_refused(place):
    run, _ = place
    folder = run / "adapters" / "formal"
    write_manifest(folder, "lora", {"base": "0" * 64}, {"base_model": "somebody/else"}, {})
    refused(place, r"adapter formal was trained on another base model \(somebody/else\)")


def test_damaged_and_missing_adapters_are_sentences(place):
    run, _ = place
    path = run / "adapters" / "formal" / "adapter_model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(place, "adapter_model.safetensors cannot be read")
    path.unlink()
    refused(place, r"has no adapter_model\.safetensors", AdapterError)
    path.write_bytes(whole)
    config = path.parent / "adapter_config.json"
    good = config.read_text()
    config.write_text(good.replace('"use_dora": false', '"use_dora": true'))
    refused(place, "has use_dora, which is more than can be merged", AdapterError)
    config.write_text("{")
    refused(place, r"adapter_config\.json cannot be read", AdapterError)
    shutil.rmtree(path.parent)
    refused(place, "formal is to be merged, but .* clara-train lora --only formal")


def test_numbers_that_are_not_finite_never_get_into_a_model(place):
    run, _ = place
    path = run / "adapters" / "formal" / "adapter_model.safetensors"
    tensors = load_file(path)
    next(iter(tensors.values()))[0, 0] = float("nan")
    save_file(tensors, path)
    with pytest.raises(MergeError, match=r"formal .* not finite in model\.layers\.0"):
        merge(place, method="task_arithmetic")
    assert not (run / "merged").exists()


def test_what_a_method_cannot_do_is_a_sentence(place):
    refused(
        place, r"slerp .* takes two, but there are 3 \(warmth, formal, medical\)", method="slerp"
    )
    refused(place, "multislerp needs two", method="multislerp", only=("warmth",))
    refused(place, "dare_ties is merged by mergekit", method="dare_ties", engine="direct")
    others = {str(place[0] / "adapters" / "formal"): -0.8}
    zero = {"only": ("warmth",), "others": others}
    refused(place, "sum to 0, and .* or leave out --normalize", normalize=True, **zero)
    refused(place, "sum to 0, and .* take others$", method="slerp", **zero)
    refused(place, "no merge method 'average'", method="average")
    refused(place, "'courage' is no dimension", SpecError, only=("courage",))


def test_a_merge_that_is_stopped_leaves_the_model_that_was_there(place):
    run, spec = place
    before = load(merge(place, method="task_arithmetic").folder)

    def stop(done, of):
        if done == of // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        merge_adapters(run, spec, MergeSettings("ties"), progress=stop)
    assert far(load(run / "merged"), before) == 0
    assert {path.name for path in run.iterdir()} == {"adapters", "configs", "merged", LOCK_FILE}
    assert not merge(place, method="ties").was_there


@pytest.mark.parametrize("engine", ["direct", "mergekit"])
def test_a_full_disk_is_a_sentence_and_nothing_is_left_of_it(place, engine):
    run, _ = place
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # a file's; less than the model
    try:
        with pytest.raises(StorageError, match="run/merged cannot be written: File too large"):
            merge(place, method="task_arithmetic", engine=engine)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name for path in run.iterdir()} == {"adapters", LOCK_FILE}
    assert not merge(place, method="task_arithmetic", engine=engine).was_there


def test_what_mergekit_writes_on_the_way_is_cleared_away_with_what_it_makes(tmp_path, monkeypatch):
    def run_merge(config, output, options):
        assert Path(options.lora_merge_cache).parent == Path(output) == tmp_path
        (Path(options.lora_merge_cache) / "whole_model.safetensors").touch()

    monkeypatch.setattr("mergekit.merge.run_merge", run_merge)
    models = [{"model": "base", "parameters": {"weight": 1.0}}]
    run_mergekit({"merge_method": "linear", "models": models}, tmp_path, 0)
    assert not list(tmp_path.iterdir())


def test_large_models_are_written_in_shards(place, monkeypatch):
    whole = load(merge(place, method="task_arithmetic").folder)
    monkeypatch.setattr("clara_training.merge_direct.SHARD_BYTES", 100_000)
    merged = merge(
        place, method="task_arithmetic", scale=1.0, dtype="float32", seed=0, density=0.1
    )
    assert merged.was_there  # density is nothing to task_arithmetic
    shutil.rmtree(merged.folder)
    merged = merge(place, method="task_arithmetic")
    assert len(list(merged.folder.glob("model-0000?-of-0000?.safetensors"))) > 1
    loaded = AutoModelForCausalLM.from_pretrained(merged.folder).state_dict()
    assert far({name: loaded[name].double().numpy() for name in whole}, whole) == 0


def command(*arguments):
    return CliRunner().invoke(commands, [str(each) for each in arguments])


def test_the_command_explains_what_a_weight_comes_to(place):
    run, spec = place
    common = ("merge", "--run", run, "--spec", spec.path, "--explain", "--method")
    assert "warmth 0.8: 0.8 of what it learned." in command(*common, "task_arithmetic").output
    assert "keeps the largest 50%" in command(*common, "ties").output
    shares = command(*common, "ties", "--normalize").output
    assert "warmth 0.8: divided by the sum of the weights 1.8, 0.444 of what" in shares
    assert "a share of 44%" in command(*common, "multislerp").output
    alone = command(*common, "slerp", "--only", "warmth").output
    assert "80% of the way from the base to it" in alone
    assert not (run / "merged").exists()


def test_the_command_merges(place):
    run, spec = place
    done = command("merge", "--run", run, "--spec", spec.path, "--dtype", "bfloat16")
    assert done.exit_code == 0, done.output
    assert "the weights changed by" in done.output
    assert AutoModelForCausalLM.from_pretrained(run / "merged").dtype is torch.bfloat16
    record = json.loads((run / "metrics" / "merge.jsonl").read_text())
    assert record["method"] == "ties"
    assert (
        "was there"
        in command("merge", "--run", run, "--spec", spec.path, "--dtype", "bfloat16").output
    )
    elsewhere = run / ".." / "base"
    called_otherwise = ("--dtype", "bfloat16", "--base", elsewhere)
    again = command("merge", "--run", run, "--spec", spec.path, *called_otherwise)
    assert "was there" in again.output
    for other in ("somewhere", "somewhere=nan", "somewhere=1e999"):
        wrong = command("merge", "--run", run, "--spec", spec.path, "--with", other)
        assert wrong.exit_code == 2
        assert f"'{other}' is not FOLDER=WEIGHT" in wrong.output
    assert Path(run / "merged").exists()
