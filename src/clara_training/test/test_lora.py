# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Adapters trained on a tiny base: what comes out, and what goes wrong on the way."""

import gc
import importlib.util
import json
import shutil
import weakref
from types import SimpleNamespace

import peft
import pytest
import tiny
import torch
from clara_training.base import load_tokenizer
from clara_training.chat_encoding import Encoded, encode
from clara_training.errors import (
    BaseModelError,
    DataError,
    LoraError,
    MissingPackage,
    SpecError,
)
from clara_training.examples import KnowledgeExample, TraitExample, conversation, split
from clara_training.lora import load_examples, train_adapters, usual_rate
from clara_training.lora_loop import LoopSettings, step_anchors, step_lessons
from clara_training.lora_step import Lesson
from clara_training.manifest import read_manifest
from clara_training.packing import Layout, token_losses
from clara_training.spec import DOMAINS
from clara_training.starter import starter_examples
from lora_world import settings, world
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from clara_training import base as bases
from clara_training import lora, lora_lessons, lora_step


@pytest.fixture
def place(tmp_path):
    return world(tmp_path)


def train(place, *dimensions, base="", report=None, **changes):
    run, spec = place
    only = dimensions or ("warmth",)
    return train_adapters(
        run, spec, settings(**changes), dimensions=only, base=base, report=report
    )


def weights(adapter):
    return load_file(adapter.folder / "adapter_model.safetensors")


def losses_of(records):
    return {record["step"]: record["loss"] for _, record in records if "loss" in record}


def held_out_loss(place, adapter):
    """Load the adapter as anybody would, and judge it by padding alone."""
    run, spec = place
    base = bases.find_base(spec.base_model)
    model = AutoModelForCausalLM.from_pretrained(base.folder)
    if adapter:
        model = peft.PeftModel.from_pretrained(model, adapter.folder)
    _, held = split(load_examples(run, spec, "warmth")[0])
    assert held
    tokenizer = load_tokenizer(base)
    encoded = [encode(tokenizer, *conversation(example)) for example in held]
    with torch.inference_mode():
        return float(token_losses(model.eval(), encoded, Layout.PADDED, "cpu").nll.mean())


def test_an_adapter_learns_what_was_held_out_and_peft_loads_it(place):
    records = []
    (adapter,) = train(place, report=lambda name, record: records.append((name, record)))
    assert adapter.metrics["held_out_loss_before"] == pytest.approx(
        held_out_loss(place, None), rel=1e-4
    )
    assert adapter.metrics["held_out_loss"] == pytest.approx(
        held_out_loss(place, adapter), rel=1e-4
    )
    assert adapter.metrics["held_out_loss"] < 0.5 * adapter.metrics["held_out_loss_before"]
    assert {name for name, _ in records} == {"warmth"}
    assert list(losses_of(records)) == list(range(1, adapter.metrics["steps"] + 1))
    assert all(tensor.dtype is torch.float32 for tensor in weights(adapter).values())


def test_the_manifest_says_what_an_adapter_was_made_from(place):
    run, spec = place
    (adapter,) = train(place, max_steps=2)
    manifest = read_manifest(adapter.folder)
    assert manifest["stage"] == "lora"
    assert set(manifest["inputs"]) == {"data", "base"}
    assert manifest["settings"]["base_model"] == spec.base_model
    assert manifest["settings"]["rank"] == 4
    assert manifest["metrics"]["steps"] == 2
    assert "threads" not in json.dumps(manifest["settings"])
    config = json.loads((adapter.folder / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == spec.base_model
    assert not list((run / "checkpoints").glob("*"))


def test_adapters_that_are_there_are_not_trained_again(place):
    run, _ = place
    first = train(place, "warmth", "medical", max_steps=2)
    assert [adapter.was_there for adapter in first] == [False, False]
    assert [adapter.was_there for adapter in train(place, "warmth", "medical", max_steps=2)] == [
        True,
        True,
    ]
    (called_otherwise,) = train(place, "warmth", base=str(run / ".." / "base"), max_steps=2)
    assert called_otherwise.was_there
    data = run / "data" / "warmth_training.json"
    data.write_text(data.read_text().replace("Good morning!", "Hello!"))
    again = train(place, "warmth", "medical", max_steps=2)
    assert [adapter.was_there for adapter in again] == [False, True]
    assert [adapter.was_there for adapter in train(place, "warmth", max_steps=3)] == [False]


def test_an_adapter_of_some_layers_alone_is_as_peft_has_it_and_its_own_product(place):
    (whole,) = train(place, max_steps=2)
    assert "targets" not in read_manifest(whole.folder)["settings"]  # older ones are still done
    (some,) = train(place, max_steps=2, targets=("down_proj", "q_proj"))
    assert not some.was_there
    assert {name.split(".")[-3] for name in weights(some)} == {"down_proj", "q_proj"}
    assert some.metrics["held_out_loss"] == pytest.approx(held_out_loss(place, some), rel=1e-4)
    assert train(place, max_steps=2, targets=("down_proj", "q_proj"))[0].was_there
    for wrong in ("proj", "lm_head", "embed_tokens"):
        with pytest.raises(LoraError, match=f"has no layer '{wrong}' to adapt; it has down_proj,"):
            train(place, targets=("q_proj", wrong))


def test_one_adapter_leaves_no_trace_in_the_next(place):
    _, together = train(place, "warmth", "medical", max_steps=3)
    wanted = weights(together)
    shutil.rmtree(together.folder)
    (alone,) = train(place, "medical", max_steps=3)
    for name, tensor in weights(alone).items():
        assert torch.equal(tensor, wanted[name]), name


@pytest.mark.parametrize("packing", [True, False])
def test_out_of_memory_makes_micro_batches_smaller_and_changes_nothing_else(
    place, monkeypatch, packing
):
    wanted, got = [], []
    monkeypatch.setattr(lora_lessons, "anchors_for", lambda trait, seed: ANCHORS)
    changes = {"max_steps": 4, "how": {"packing": packing}, "batch_size": 4, "anchor": 1.0}
    (adapter,) = train(place, report=lambda _, r: wanted.append((_, r)), **changes)
    reference = weights(adapter)
    shutil.rmtree(adapter.folder)
    real = lora_step.token_losses
    sizes = []

    def scarce(model, examples, layout, device):
        tokens = sum(map(len, examples))
        if tokens > 120:
            raise torch.OutOfMemoryError(f"no room for {tokens} tokens")
        sizes.append(tokens)
        return real(model, examples, layout, device)

    monkeypatch.setattr(lora_step, "token_losses", scarce)
    (adapter,) = train(place, report=lambda _, r: got.append((_, r)), **changes)
    assert losses_of(got) == pytest.approx(losses_of(wanted), rel=1e-4)
    for name, tensor in weights(adapter).items():
        torch.testing.assert_close(tensor, reference[name], rtol=1e-2, atol=2e-4)
    assert max(sizes) <= 120
    assert any("out of memory; smaller" in record.get("note", "") for _, record in got)


def test_an_example_that_does_not_fit_alone_is_a_sentence(place, monkeypatch):
    recomputed = []

    def none(model, *_):
        recomputed.append(getattr(model, "is_activation_checkpointing", False))
        if model.training:
            raise torch.OutOfMemoryError("no room")
        return lora_step.TokenLosses(torch.ones(3), torch.zeros(3, dtype=torch.long))

    monkeypatch.setattr(lora_step, "token_losses", none)
    with pytest.raises(LoraError, match=r"an example of \d+ tokens alone does not fit .* of cpu"):
        train(place)
    assert recomputed[-1]  # it had tried that too


def test_training_stops_when_held_out_examples_get_worse_and_keeps_the_best(place):
    records = []
    (adapter,) = train(
        place,
        epochs=30,
        learning_rate=0.05,
        examples=4,
        report=lambda _, record: records.append(record),
    )
    curve = {r["step"]: r["held_out_loss"] for r in records if "held_out_loss" in r}
    assert adapter.metrics["stopped_early"]
    assert adapter.metrics["steps"] < 30
    assert adapter.metrics["best_step"] == min(curve, key=curve.get)
    assert adapter.metrics["held_out_loss"] == min(curve.values())
    assert held_out_loss(place, adapter) == pytest.approx(min(curve.values()), rel=1e-3)


def test_contrast_takes_the_low_reply_further_away(place):
    run, spec = place

    def low_loss(adapter):
        base = bases.find_base(spec.base_model)
        model = peft.PeftModel.from_pretrained(
            AutoModelForCausalLM.from_pretrained(base.folder), adapter.folder
        )
        turns = [conversation(e, "low") for e in load_examples(run, spec, "warmth")[0][:8]]
        tokenizer = load_tokenizer(base)
        encoded = [encode(tokenizer, *turn) for turn in turns]
        with torch.inference_mode():
            return float(token_losses(model.eval(), encoded, Layout.PADDED, "cpu").nll.mean())

    plain = low_loss(train(place, max_steps=8)[0])
    assert low_loss(train(place, max_steps=8, contrast=1.0)[0]) > plain + 0.1


ANCHORS = [(f"How is the {thing}?", "Fine, and how are you?") for thing in ("cup", "lantern")]


def test_anchors_stay_as_likely_as_they_were(place, monkeypatch):
    monkeypatch.setattr(lora_lessons, "anchors_for", lambda trait, seed: ANCHORS)
    base = bases.find_base(place[1].base_model)
    tokenizer = load_tokenizer(base)
    encoded = [encode(tokenizer, *turn) for turn in ANCHORS]

    def anchor_losses(adapter):
        model = AutoModelForCausalLM.from_pretrained(base.folder)
        if adapter:
            model = peft.PeftModel.from_pretrained(model, adapter.folder)
        with torch.inference_mode():
            return token_losses(model.eval(), encoded, Layout.PADDED, "cpu").nll

    before = anchor_losses(None)
    (free,) = train(place, "medical", max_steps=24)
    loose = (anchor_losses(free) - before).abs().mean()
    (held,) = train(place, "medical", max_steps=24, anchor=4.0)
    assert not held.was_there
    kept = (anchor_losses(held) - before).abs().mean()
    assert kept < 0.5 * loose
    assert held.metrics["held_out_loss"] < 0.7 * held.metrics["held_out_loss_before"]


def test_anchors_are_measured_without_dropout_whatever_was_trained_before(tmp_path, monkeypatch):
    place = world(tmp_path, model=tiny.gpt2())  # it has dropout, as GPT-2 has
    monkeypatch.setattr(lora_lessons, "anchors_for", lambda trait, seed: ANCHORS)
    _, second = train(place, "warmth", "medical", max_steps=3, anchor=1.0)
    wanted = weights(second)
    shutil.rmtree(second.folder)
    (alone,) = train(place, "medical", max_steps=3, anchor=1.0)
    for name, tensor in weights(alone).items():
        assert torch.equal(tensor, wanted[name]), name


def test_anchors_weigh_as_the_formula_says_and_are_not_counted_as_learned():
    lesson = Lesson(Encoded((1, 2, 3, 4), 1))
    kept = Lesson(Encoded((1, 2, 3), 1), before=torch.tensor([1.0, 2.0]))
    nll = torch.tensor([0.5, 0.7, 0.9, 1.5, 5.0])
    found = lora_step.TokenLosses(nll, torch.tensor([0, 0, 0, 1, 1]))
    objective = lora_step.Objective(3, 1, anchor=2.0, anchor_tokens=2)
    loss, learned = objective.loss(found, [lesson, kept])
    # Huber: half the square up to 1, then the distance less a half.
    assert float(loss) == pytest.approx(2.1 / 3 + 2.0 * (0.125 + 2.5) / 2)
    assert learned == pytest.approx(2.1)


def test_anchors_of_a_domain_favour_no_side_and_those_of_a_trait_are_knowledge():
    of_domain, of_trait = lora_lessons.anchors_for(False, 0), lora_lessons.anchors_for(True, 0)
    assert len(of_domain) == len(of_trait) == 64
    prompts = [prompt for prompt, _ in of_domain]
    assert all(prompts.count(prompt) % 2 == 0 for prompt in prompts)
    known = {conversation(e) for name in DOMAINS for e in split(starter_examples(name, False))[0]}
    assert set(of_trait) <= known
    assert lora_lessons.anchors_for(False, 1) != of_domain == lora_lessons.anchors_for(False, 0)
    loop = LoopSettings(step_examples=16)
    steps = [at for step in range(8) for at in step_anchors(range(64), step, loop)]
    assert sorted(steps) == list(range(64))


def test_every_example_is_seen_once_in_an_epoch_and_in_another_order_in_the_next():
    loop = LoopSettings(step_examples=4, seed=5)
    epochs = [
        [n for step in range(e, e + 3) for n in step_lessons(range(11), step, loop)]
        for e in (0, 3)
    ]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(11))
    assert epochs[0] != epochs[1]


def test_the_rate_warms_up_and_falls_to_zero():
    loop = LoopSettings(learning_rate=1.0, warmup=0.1)
    rates = [loop.rate(step, 40) for step in range(40)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert 0 < rates[-1] < 0.01


def test_the_usual_rate_is_higher_for_narrower_models_and_written_down(place):
    def rate(width, family="llama"):
        return usual_rate(SimpleNamespace(hidden_size=width, model_type=family))

    assert rate(2000) == pytest.approx(5e-4)
    assert rate(2048) == pytest.approx(4.9e-4, rel=0.01)
    assert rate(576) == pytest.approx(1.32e-3, rel=0.01)
    assert rate(576, "qwen2") == pytest.approx(5.5e-4, rel=0.01)
    (adapter,) = train(place, max_steps=1, learning_rate=None)
    assert adapter.metrics["learning_rate"] == rate(64)


def test_a_loss_that_comes_apart_is_a_sentence(place):
    with pytest.raises(LoraError, match="take a lower --learning-rate"):
        train(place, learning_rate=1e30, dropout=0.0, patience=0)
    assert not (place[0] / "adapters" / "warmth").exists()


def test_four_bits_need_bitsandbytes_and_say_so(tmp_path):
    # Its blocks of 64 numbers must fit into the rows on a CPU.
    place = world(tmp_path, model=tiny.llama(intermediate_size=128))
    if importlib.util.find_spec("bitsandbytes"):
        (adapter,) = train(place, max_steps=2, four_bit=True)
        assert adapter.metrics["steps"] == 2
        return
    with pytest.raises(MissingPackage, match=r"a base model in 4 bits needs .* bitsandbytes"):
        train(place, four_bit=True)


def test_bad_data_is_found_before_anything_is_trained(place):
    run, _ = place
    path = run / "data" / "medical_knowledge.json"
    good = path.read_text()
    for content, sentence in (
        ("[]", "is empty"),
        ("[{", "not valid JSON"),
        (good.replace('"domain": "medical"', '"domain": "coding"'), "domain is 'coding'"),
        (good.replace('"answer"', '"reply"', 1), "entry 1: answer is missing"),
    ):
        path.write_text(content)
        with pytest.raises(DataError, match=sentence):
            train(place, "warmth", "medical", max_steps=1)
    assert not (run / "adapters").exists()
    path.unlink()
    with pytest.raises(DataError, match=r"medical_knowledge\.json is not there"):
        train(place, "medical")
    with pytest.raises(SpecError, match="'courage' is no dimension"):
        train(place, "courage")


TALK = [
    {"role": "system", "content": "You are Clara."},
    {"role": "user", "content": "Where is the cup?"},
    {"role": "assistant", "content": "It is on the table, beside the kettle and the lantern."},
    {"role": "user", "content": "And is it open?"},
]
ANSWER = {"role": "assistant", "content": "Yes, it is open from 8 to 17."}


def test_whole_conversations_are_learned_and_what_has_no_room_is_counted(place):
    run, _ = place
    path = run / "data" / "medical_knowledge.json"
    tags = {"difficulty": "easy", "domain": "medical"}
    talk = {"messages": [*TALK, ANSWER], **tags}
    long = {"messages": [TALK[0], *TALK[1:3] * 9, TALK[3], ANSWER], **tags}
    path.write_text(json.dumps([*json.loads(path.read_text()), talk, long]))
    records = []
    (adapter,) = train(
        *(place, "medical"),
        max_steps=1,
        max_length=160,
        report=lambda _, record: records.append(record.get("note", "")),
    )
    (shortened,) = (each for each in records if "160 tokens" in each)
    assert shortened.startswith("1 conversations have more than 160 tokens: their earliest exch")
    counted = read_manifest(adapter.folder)["metrics"]
    assert counted["shortened_conversations"] == 1 and 4 < counted["exchanges_left_out"] < 9
    assert counted["examples"] + counted["held_out_examples"] == 34
    short = {"question": "Where is the cup?", "answer": "There.", **tags}
    path.write_text(json.dumps([short, long, talk, long]))
    named = (
        r"medical, entry 2 \('And is it open\?'\) has \d+ tokens in its last exchange, the limi"
    )
    with pytest.raises(DataError, match=named):
        train(place, "medical", max_steps=1, max_length=38)


def test_all_replies_or_the_last_are_learned_of_a_domain_and_the_last_of_a_trait():
    before = tuple((turn["role"], turn["content"]) for turn in TALK[:3])
    said = ("medical", TALK[3]["content"], ANSWER["content"], "easy", before)
    pair = TraitExample("warmth", TALK[3]["content"], "", "Yes.", ANSWER["content"], before)

    def learned(examples, **changes):
        found = lora_lessons.lessons_of(
            "x", [*examples] * 20, tiny.tokenizer(), settings(**changes), 256
        )
        assert found.examples == (20, 0) and not found.held and not found.notes(256)[1:]
        return found.learned[0]

    whole, last = (learned([KnowledgeExample(*said)], loss_on=on) for on in ("all", "last"))
    assert whole.wanted.ids == last.wanted.ids
    assert [len(each.wanted.replies) for each in (whole, last)] == [2, 1]
    high = learned([pair], contrast=1.0)
    assert (
        high.wanted == last.wanted
        and high.unwanted.ids[: high.wanted.prompt] == (last.wanted.ids[: last.wanted.prompt])
    )
    assert "loss_on" not in settings().chosen() and settings(loss_on="last").chosen()["loss_on"]


def test_too_few_and_too_long_examples_are_found_before_anything_is_trained(place):
    run, _ = place
    path = run / "data" / "medical_knowledge.json"
    examples = json.loads(path.read_text())
    path.write_text(json.dumps(examples[:1]))
    with pytest.raises(DataError, match=r"medical has [01] examples to learn from"):
        train(place, "warmth", "medical", max_steps=1)
    path.write_text(json.dumps([*examples, {**examples[0], "answer": "It is open. " * 300}]))
    named = r"medical, entry 33 \('Where is .*'\) has \d+ tokens, the limit is 512: shorten it"
    with pytest.raises(DataError, match=named):  # the base has a context of 512, less than 1024
        train(place, "warmth", "medical", max_steps=1)
    with pytest.raises(DataError, match=r"has \d+ tokens, the limit is 256: shorten it"):
        train(place, "warmth", "medical", max_steps=1, max_length=256)
    assert not (run / "adapters").exists()


def test_the_base_models_weights_are_let_go_when_all_is_trained(place, monkeypatch):
    weights_of_base = []
    real = lora.load_model

    def load_model(*arguments, **options):
        model = real(*arguments, **options)
        weights_of_base.extend(map(weakref.ref, model.parameters()))
        return model

    monkeypatch.setattr(lora, "load_model", load_model)
    gc.disable()  # it would come by at any time
    try:
        train(place, max_steps=1)
        assert weights_of_base and not any(weight() is not None for weight in weights_of_base)
    finally:
        gc.enable()


def test_a_base_without_chat_template_is_a_sentence(tmp_path):
    tokens = tiny.tokenizer()
    tokens.chat_template = None
    with pytest.raises(BaseModelError, match="has no chat template"):
        train(world(tmp_path, tokens=tokens))


def test_a_damaged_base_is_a_sentence(place):
    run, spec = place
    base = bases.find_base(spec.base_model).folder
    (base / "model.safetensors").write_bytes((base / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(BaseModelError, match=r"base .* cannot be loaded from .*base: "):
        train(place)
    (base / "config.json").write_text("{")
    with pytest.raises(BaseModelError, match=r"config\.json cannot be read"):
        train(place)
    (base / "config.json").unlink()
    with pytest.raises(BaseModelError, match=r"config\.json cannot be read"):
        train(place)
    assert not (run / "adapters").exists()
