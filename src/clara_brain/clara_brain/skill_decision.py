# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Let the model decide whether a sentence asks for a skill, and check its decision from scratch.

Three steps, each of which can only forbid: rules on the sentence (`orders`), a greedy few-shot
completion inside a grammar of what the sentence names and "none", and a validation that trusts
neither.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from clara_brain.errors import SkillRefused
from clara_brain.flag_slots import written_flag
from clara_brain.orders import Offer, has_the_form, imperative, offer_or_reason
from clara_brain.sampler import SamplerSettings
from clara_brain.skills import Example, Parameter, Skill, Value
from clara_brain.spoken_numbers import distinct
from clara_brain.text_slots import exact_text

NONE = "none"
MAX_TOKENS = 160
GREEDY = SamplerSettings(0.0, 1.0, 0, 0.0, 1.0, 0)

_HEAD = (
    "A robot listens to a person. Action is what the person orders the robot to do "
    "now, or none.\n\n"
)
# Said by people, but no order: one stands after each example of a skill, with a word of that skill
# where it fits.
_NO_ORDERS = (
    "I like the green {0}",
    "I moved the {0} yesterday",
    "she wants to buy a {0}",
    "people use a {0} every day",
    "hello Clara",
    "my son can do that already",
    "the {0} is empty",
    "tell me about yourself",
)
_CALL = re.compile(r"([a-z][a-z0-9_]*)\((.*)\)", re.DOTALL)
_ARGUMENT = re.compile(r'([a-z][a-z0-9_]*)=("(?:[^"\\]|\\.)*"|[^,()"=]+)(?:, |$)')
_NUMBER = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?")
_NOT_FINITE = ("nan", "inf", "-nan", "-inf")


@dataclass(frozen=True)
class Decision:
    """A skill that the model chose. `reason` says why it was refused; empty when it was not.

    `values` are all parameters, in the units of the skills file, which `units` has; `object` is
    the filler of ActionEvent.object, `context` the other ones. `written` is what the model wrote,
    `words` how the skills file says it.
    """

    skill: str
    action: str = ""
    object: str = ""
    context: dict[str, Value] = field(default_factory=dict)
    reason: str = ""
    written: str = ""
    words: str = ""
    values: dict[str, Value] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)

    def in_words(self) -> str:
        """Say it, as "pick up the cup"."""
        if self.words:
            return self.words
        words = [self.action.lower().replace("_", " ")]
        if self.object:
            words.append(f"the {self.object.replace('_', ' ')}")
        words += [f"({name}: {value})" for name, value in self.context.items()]
        return " ".join(words)


def possible(skills: Sequence[Skill], text: str) -> list[Offer]:
    """Return what a sentence may ask for.

    Empty when no skill can come of it, and the model need not be asked.
    """
    if not has_the_form(text):
        return []
    found = (offer_or_reason(skill, text) for skill in skills)
    return [each for each in found if isinstance(each, Offer)]


def decision_prompt(skills: Sequence[Skill], text: str) -> str:
    """Return the few-shot prompt. Everything but its last lines is the same for every sentence."""
    rounds = zip_longest(*([(skill, example) for example in skill.examples] for skill in skills))
    shown = [pair for each in rounds for pair in each if pair]
    lines = [_HEAD]
    for at, (skill, example) in enumerate(shown):
        lines.append(_shot(example.say, call(skill, example)))
        lines.append(_shot(_NO_ORDERS[at % len(_NO_ORDERS)].format(_thing(skill, at)), NONE))
    lines.append(f"Person: {imperative(skills, text)}\nAction: ")
    return "".join(lines)


def call(skill: Skill, example: Example) -> str:
    """Write a skill and its parameters as the model is to write them."""
    return written_call(skill, {name: written_value(value) for name, value in example.use.items()})


def written_call(skill: Skill, values: Mapping[str, str]) -> str:
    """Write a skill and its parameters, which are written but for the quotes of a text."""
    texts = {each.name for each in skill.parameters if each.type == "text"}
    written = (
        f"{name}={_in_quotes(value) if name in texts else value}" for name, value in values.items()
    )
    return f"{skill.name}({', '.join(written)})"


def _in_quotes(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def grammar(choices: Sequence[Offer]) -> str:
    """Return a GBNF grammar: "none", or one of the skills with the values that were offered."""
    rules = [" | ".join([_quoted(NONE), *(_call_rule(offer) for offer in choices)])]
    return f'root ::= ({rules[0]}) "\\n"'


def whole_grammar(skills: Sequence[Skill]) -> str:
    """Return the grammar of everything that the file allows, whatever was said."""
    return grammar([Offer(skill, {}) for skill in skills])


def decide(skills: Sequence[Skill], written: str, said: str) -> Decision | None:
    """Validate what the model wrote against the file and against what was said.

    None means no skill.
    """
    written = written.strip()
    if written == NONE or not written:
        return None
    match = _CALL.fullmatch(written)
    name = match[1] if match else written[:64]
    try:
        if match is None:
            raise SkillRefused("it is not of the form skill(parameter=value)")
        return _validated(skills, match, said)
    except SkillRefused as error:
        return Decision(skill=name, reason=str(error), written=written)


def _validated(skills: Sequence[Skill], match: re.Match[str], said: str) -> Decision:
    skill = next((each for each in skills if each.name == match[1]), None)
    if skill is None:
        raise SkillRefused(f"there is no skill named {match[1]!r}")
    offer = next((each for each in possible(skills, said) if each.skill is skill), None)
    if offer is None:
        raise SkillRefused(f"nothing that was said asks for {skill.name}")
    values: dict[str, Value] = {}
    for name, text in _arguments(match[2]):
        parameter = skill.parameter(name)
        if parameter is None:
            raise SkillRefused(f"{skill.name} has no parameter {name!r}")
        if name in values:
            raise SkillRefused(f"{name} is given twice")
        values[name] = _value(parameter, text, said, offer)
    for parameter in skill.parameters:
        if parameter.name in values:
            continue
        if parameter.default is None:
            raise SkillRefused(f"{skill.name} needs {parameter.name}")
        default = (written_value(parameter.default),)
        if parameter.name in offer.named and offer.values.get(parameter.name) != default:
            raise SkillRefused(f"{parameter.name} was said, but was left out")
        values[parameter.name] = parameter.default
    words = skill.in_words.format_map(
        {name: written_value(value) for name, value in values.items()}
    )
    context = {name: value for name, value in values.items() if name != "object"}
    filler = str(values.get("object", ""))
    return Decision(
        skill.name,
        skill.action,
        filler,
        context,
        written=match[0],
        words=words,
        values=values,
        units={each.name: each.unit for each in skill.parameters if each.unit},
    )


def _arguments(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text):
        match = _ARGUMENT.match(text, at)
        if match is None:
            raise SkillRefused(f"its parameters cannot be read: {text[:80]!r}")
        found.append((match[1], match[2]))
        at = match.end()
    return found


def _value(parameter: Parameter, text: str, said: str, offer: Offer) -> Value:
    named = offer.values.get(parameter.name, ())
    try:
        value = parameter.check(_read(parameter, text))
    except ValueError as error:
        raise SkillRefused(str(error)) from None
    if parameter.type == "boolean":
        if text not in (named or (written_value(value),)) or (
            not named and value != parameter.default
        ):
            raise SkillRefused(f"{parameter.name} {text} was not said")
    elif parameter is exact_text(offer.skill):
        if value not in (named or (parameter.default,)):
            raise SkillRefused(f"{parameter.name} {text} was not said")
    elif parameter.said:
        if parameter.numeric:
            named = tuple(distinct(named))
            fits = any(_number(each) == value for each in named)
        else:
            fits = value in named if parameter.type == "choice" else str(value) in said
        if len(named) > 1:
            every = "both" if len(named) == 2 else "all"
            raise SkillRefused(
                f"{' and '.join(named)} were {every} said; say one {parameter.name}"
            )
        if not fits:
            raise SkillRefused(f"{parameter.name} {text} was not said")
    return value


def _number(written: str) -> float:
    """Read a number that was said; NaN, which equals nothing, where it is none."""
    return float(written) if _NUMBER.fullmatch(written) else math.nan


def _read(parameter: Parameter, text: str) -> object:
    if parameter.type == "choice":
        return text
    if parameter.type == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if parameter.type == "text":
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            raise ValueError(f"{parameter.name} is not a quoted text") from None
    if text in _NOT_FINITE:
        return float(text)
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{parameter.name} is not a number that can be read: {text[:32]!r}")
    return float(text)


def _call_rule(offer: Offer) -> str:
    parts = [_quoted(offer.skill.name + "(")]
    required = [
        each for each in offer.skill.parameters if each.default is None or each.name in offer.named
    ]
    optional = [each for each in offer.skill.parameters if each not in required]
    comma = ""
    for parameter in required:
        parts.append(_quoted(f"{comma}{parameter.name}=") + " " + _value_rule(parameter, offer))
        comma = ", "
    for parameter in optional:
        if offer.values.get(parameter.name, ("",)) and comma:
            parts.append(
                f"({_quoted(f'{comma}{parameter.name}=')} {_value_rule(parameter, offer)})?"
            )
    parts.append(_quoted(")"))
    return " ".join(parts)


def _value_rule(parameter: Parameter, offer: Offer) -> str:
    written = offer.values.get(parameter.name)
    if parameter.type == "text":
        if written and parameter is exact_text(offer.skill):
            return _quoted(_in_quotes(written[0]))
        return f'"\\"" [^"\\\\\\x00-\\x1F\\x7F]{{0,{parameter.max_length}}} "\\""'
    if written is None:
        if parameter.numeric:
            return '"-"? [0-9]{1,9} ("." [0-9]{1,9})?'
        written = parameter.choices or ("true", "false")
    return f"({' | '.join(map(_quoted, written))})"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def written_value(value: Value) -> str:
    """Write a value as the model is to write it."""
    if isinstance(value, bool):
        return written_flag(value)
    return f"{value:g}" if isinstance(value, (int, float)) else value


def _shot(say: str, action: str) -> str:
    return f"Person: {say}\nAction: {action}\n\n"


def _thing(skill: Skill, at: int) -> str:
    choices = [choice for each in skill.parameters for choice in each.choices[:4]]
    return choices[at % len(choices)].replace("_", " ") if choices else "wheel"
