# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Words that name no thing and no deed: a question has them whatever it is about.

What is in none of these lists, and is no filler that memory knows, is a word that it cannot read.
"""

from clara_memory.inflection import stem


def set_of(words: str) -> frozenset[str]:
    """Return words that are told in one text as a set."""
    return frozenset(words.split())


DETERMINERS = set_of(
    "a an any another both each every his her its my no our some that the their these this those"
    " what which whose your"
)
PLACE_PREPOSITIONS = set_of(
    "across around at behind below beneath beside by from in inside into near off on onto out"
    " outside over through to toward towards under underneath using via with within without"
)
PRONOUNS = set_of(
    "anybody anyone everybody everyone he i it nobody one robot she somebody someone they we who"
    " you"
)
AUXILIARIES = set_of(
    "am are be been being can could did didn didnt do does doesn doesnt doing don done dont had"
    " hadn has hasn have haven having is isn may might must shall should was wasn were weren will"
    " would wouldn couldn"
)
COUNTED = set_of("action attempt case episode event occasion task thing time try")
TO_A_NUMBER = set_of("at is nr no number of was")  # from the name of its role
# Behind "you": what somebody wants of whom the text is said to.
TELLING = set_of(
    "check describe explain give guess know list recall remember say see show summarise summarize"
    " tell think"
)
# What a question about all that happened at some time has: "what did you do today?".
_OF_ALL = set_of(
    "about action activity anything do event everything fail go happen history list occur recall"
    " recap remember report show something succeed summarise summarize summary tell thing work"
)
BESIDE = set_of("also kindly maybe now please still")
_FUNCTION = (
    "about above after again against ago ahead all almost alone along already also although"
    " always am and anymore anything anyway anywhere apart as aside away back because"
    " before between beyond but cannot certain d despite down during either else enough"
    " especially etc even ever everything everywhere except far few first for former further hence"
    " here how however if instead just kind last late lately later latest least less like ll lot"
    " lots m many maybe me mean mine more most much myself neither never next none nor not nothing"
    " now nowhere of often old once only or other others otherwise ours out part per perhaps plus"
    " previous quite rather re recent s same second seldom several similar since so something"
    " sometime sometimes somewhere soon sort still such t than that them themselves then there"
    " therefore third though throughout thus till together too twice unless until unto up upon us"
    " usual ve versus very was well when whenever where wherever whether while whom why worst best"
    " yet yours yourself whatever whoever due total overall exactly long early earlier recent"
)
NUMBERS = set_of(
    "zero one two three four five six seven eight nine ten eleven twelve hundred thousand"
)
GREETINGS = set_of("and dear good hello hey hi no oh ok okay please thanks well yes")
_TALK = (
    "alright bye cool dear fine friend good goodbye great greetings hello hey hi hm kindly morning"
    " mr mrs ms nice no ok okay oh please right sir sorry sure thank thanks well wow yeah yep yes"
)
# What is asked of a memory, and what anything does or has done to it.
_ASKING = (
    "able account activity act action answer anything appear ask attempt begin believe bring"
    " cause case check claim come complete count curious current deal describe detail difference"
    " do doubt end episode event everything experience explain fact feel figure find finish forget"
    " get give go guess habit happen have hear history hope idea interest job keep know learn"
    " leave let list look lot make manage matter memory mention mind name need notice number"
    " occasion occur order outcome outline overview perform perhaps possible problem question"
    " reason recall recap record remember remind repeat report result robot run say see seem send"
    " share show sometimes speak start state status stop story sum summarise summarize summary"
    " suppose take talk task"
    " tell thing think time tried tries trouble true try turn understand use want way went wish"
    " wonder work worth wrong"
)
_MANNER = (
    "alone big certain correct different difficult easy fast frequent full great hard large little"
    " main new particular poor quick real right same short similar simple slow small successful"
    " usual whole"
)
_MEASURES = "cm degree kg km m meter metre mm percent s"
_WHEN = (
    "afternoon day evening hour midday midnight minute moment month morning night noon oclock"
    " today tonight tomorrow week weekend year yesterday"
)
_KNOWN = set_of(f"{_FUNCTION} {_TALK} {_ASKING} {_MANNER} {_MEASURES} {_WHEN}")
_KNOWN = _KNOWN | NUMBERS | DETERMINERS | PLACE_PREPOSITIONS | PRONOUNS | AUXILIARIES | COUNTED
_STEMS = frozenset(map(stem, _KNOWN))
OF_ALL = frozenset(map(stem, _OF_ALL)) | {"did", "doing", "done"}  # stems


def is_ordinary(word: str) -> bool:
    """Whether a folded word says nothing by itself, however inflected; "carefully" neither."""
    return word in _KNOWN or stem(word) in _STEMS or (len(word) > 4 and word.endswith("ly"))
