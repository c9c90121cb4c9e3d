# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Free text finds the fillers that memory knows."""

import pytest
from clara_memory.inflection import stem
from clara_memory.item_memory import ItemMemory

from clara_memory import EpisodicMemory


@pytest.fixture(scope="module")
def memory():
    made = EpisodicMemory()
    for action, thing, result in (
        ("PICK_UP", "CUP", "SUCCESS"),
        ("PICK_UP", "CUP", "FAILED"),
        ("PICK_UP", "COFFEE_MUG", "FAILED"),
        ("PLACE", "PLATE", "SUCCESS"),
        ("GO_TO", "KITCHEN", "TIMEOUT"),
        ("DROP", "GLASS", "SUCCESS"),
    ):
        made.store_memory(subject="CLARA", action=action, object=thing, result=result)
    return made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What happened with the cup?", {"object": "CUP"}),
        (
            "why did you fail to pick up the cups",
            {"action": "PICK_UP", "object": "CUP", "result": "FAILED"},
        ),
        ("when was it that you picked the big red cup up", {"action": "PICK_UP", "object": "CUP"}),
        ("tell me about the coffee mug", {"object": "COFFEE_MUG"}),
        ("Did Clara drop glasses?", {"subject": "CLARA", "action": "DROP", "object": "GLASS"}),
        ("who placed plates", {"action": "PLACE", "object": "PLATE"}),
        (
            "you went to the kitchen and timed out",
            {"object": "KITCHEN", "action": "GO_TO", "result": "TIMED_OUT"},
        ),
        ("what went wrong?", {"result": "FAILED"}),
        ("did picking up the cup fail?", {"action": "PICK_UP", "object": "CUP"}),
        ("tell whether the cup failed or succeeded", {"object": "CUP"}),
        (
            "did you ever fail to pick up the cup?",
            {"action": "PICK_UP", "object": "CUP", "result": "FAILED"},
        ),
        (
            "is it true that you failed to pick up the cup?",
            {"action": "PICK_UP", "object": "CUP", "result": "FAILED"},
        ),
        (
            "did you pick up the cup without errors?",
            {"action": "PICK_UP", "object": "CUP", "result": "SUCCEEDED"},
        ),
        ("did you fail?", {}),
        ("didn't you fail to pick up the cup?", {"action": "PICK_UP", "object": "CUP"}),
        ("did you never fail to pick up the cup?", {"action": "PICK_UP", "object": "CUP"}),
    ],
)
def test_known_fillers_are_recognised_as_whole_words(memory, text, expected):
    understood = {cue.role: cue.filler for cue in memory.query(text).understood}
    assert understood == expected


def test_only_the_first_unknown_words_of_a_long_text_are_held_against_all_that_is_known(
    memory, monkeypatch
):
    looked, look_up = [], ItemMemory.look_up
    monkeypatch.setattr(
        ItemMemory,
        "look_up",
        lambda self, *cue, **how: looked.append(1) or look_up(self, *cue, **how),
    )
    assert memory.query(" ".join(f"unheard{letter}" for letter in "abcdefghijklmnop")).abstained
    assert 0 < len(looked) <= 8 * len(memory.stats().vocabulary)


def test_part_of_a_word_is_no_filler(memory):
    assert memory.query("the cupboard is hiccuping").abstained


def test_a_text_without_anything_known_abstains_and_says_so(memory):
    answer = memory.query("how is the weather")
    assert answer.abstained
    assert answer["action"].reason == "nothing in the text is known to memory"


def test_a_cue_given_is_not_changed_by_the_text(memory):
    answer = memory.query("what about the cup", object="PLATE")
    assert {str(cue) for cue in answer.understood} == {"object=PLATE"}


def test_text_prefers_episodes_that_fit_all_it_names(memory):
    answer = memory.query("why did picking up the cup go wrong")
    assert answer.matches == 1 and answer.episodes[0].episode.object == "CUP"


def test_what_the_text_names_and_the_episodes_found_lack_is_not_in_force(memory):
    answer = memory.query("did you drop the cup and fail?")
    assert [match.episode.object for match in answer.episodes] == ["GLASS"]
    assert {str(cue) for cue in answer.understood} == {"action=DROP"}
    assert {str(cue) for cue in answer.set_aside} == {"object=CUP"}
    whole = memory.query("why did you fail to pick up the cups")
    assert len(whole.understood) == 3 and whole.set_aside == ()


def test_inflected_forms_of_one_action_are_found_together():
    memory = EpisodicMemory()
    memory.store_memory(action="PICKED_UP", object="CUP")
    memory.store_memory(action="PICK_UP", object="CUP")
    assert memory.query("you picked up the cup").matches == 2


def test_numbers_in_names_are_kept_apart():
    memory = EpisodicMemory()
    memory.store_memory(action="GO", object="ROOM_7")
    memory.store_memory(action="GO", object="ROOM_77")
    assert memory.query("what about room 77").matches == 1


def test_an_episode_that_fits_less_of_the_text_is_left_out_however_telling_its_fit():
    memory = EpisodicMemory()
    for number in range(40):
        memory.store_memory(action="PICK_UP", object=f"THING_{number}")
    memory.store_memory(action="WASH", object="CUP")
    memory.store_memory(action="PICK_UP", object="CUP")
    answer = memory.query("you picked up the cup")
    assert [match.episode.action for match in answer.episodes] == ["PICK_UP"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("what did not succeed?", {"FAILED", "TIMED_OUT"}),
        ("what didn't succeed", {"FAILED", "TIMED_OUT"}),
        ("which actions were never really successful?", {"FAILED", "TIMED_OUT"}),
        ("what did you do without success?", {"FAILED", "TIMED_OUT"}),
        ("what failed?", {"FAILED", "TIMED_OUT"}),
        ("what did not fail?", {"SUCCEEDED"}),
        ("what did not go wrong?", {"SUCCEEDED"}),
        ("no, what succeeded?", {"SUCCEEDED"}),
        ("what timed out?", {"TIMED_OUT"}),
    ],
)
def test_not_turns_an_outcome_round_and_what_timed_out_has_failed(memory, text, expected):
    found = memory.query(text, max_episodes=100).episodes
    assert {match.episode.outcome.name for match in found} == expected


def test_what_failed_is_as_many_as_are_counted_as_failed(memory):
    failed = memory.stats().failed
    assert failed == 3 == memory.query("what failed?").matches
    assert failed == sum(each.failed for each in memory.query(ask=["action"])["action"].candidates)
    assert memory.query(result="FAILED").matches == 2  # a role is asked for as it was stored


def test_a_question_with_didnt_asks_for_the_outcome(memory):
    answer = memory.query("didn't you succeed in picking up the cup?")
    assert answer["result"].candidates[0].support == 1 and answer.matches == 2


@pytest.fixture
def places():
    made = EpisodicMemory()
    made.store_memory(action="CLEAN", object="KITCHEN")
    made.store_memory(action="DOCK")
    made.store_memory(action="GO_TO", object="KITCHEN")
    for place, x in (("kitchen", 50.0), ("dock", 0.0)):
        for _ in range(5):
            made.store_memory(action="PICK_UP", object="CUP", place=place, at=(x, 0.0, 0.0))
    made.store_memory(action="WASH", object="CUP", place="sink", at=(90.0, 0.0, 0.0))
    made.store_memory(action="CLOSE", object="SINK")
    made.store_memory(action="CLOSE", object="DOOR", place="sink")
    made.store_memory(action="BRING", object="CUP", place="sink")
    made.store_memory(action="MOVE", object="SINK")
    made.store_memory(action="MOVE", object="CUP", place="sink")
    return made


@pytest.mark.parametrize(
    ("text", "actions", "matches"),
    [
        ("what did you do in the kitchen?", {"PICK_UP", "CLEAN", "GO_TO"}, 7),
        ("what did you pick up in the kitchen?", {"PICK_UP"}, 5),
        ("what did you do at the dock?", {"PICK_UP"}, 5),
        ("what did you do near the dock?", {"PICK_UP"}, 5),
        ("how often did you dock?", {"DOCK"}, 1),
        ("did you try to dock?", {"DOCK"}, 1),
        ("how often did you clean the kitchen?", {"CLEAN"}, 1),
        ("how often did you go to the kitchen?", {"GO_TO"}, 1),
        ("how often did you close the sink?", {"CLOSE"}, 1),
        ("did you wash the sink?", {"WASH"}, 1),
        ("did you move to the sink?", {"MOVE"}, 1),
        ("what did you bring to the sink?", {"BRING"}, 1),
        ("what happened to the kitchen?", {"PICK_UP", "CLEAN", "GO_TO"}, 7),
        ("what about the dock?", {"PICK_UP"}, 5),
        ("what happened near the dock with the cup?", {"PICK_UP"}, 5),
        ("what happened with the cup near the dock?", {"PICK_UP"}, 5),
    ],
)
def test_a_word_of_several_roles_is_read_by_what_stands_before_it(places, text, actions, matches):
    answer = places.query(text)
    assert {candidate.filler for candidate in answer["action"].candidates} == actions
    assert answer.matches == matches and not answer.set_aside


def test_a_word_that_may_fill_either_role_says_so(places):
    answer = places.query("what happened to the kitchen?")
    assert {str(cue) for cue in answer.understood} == {"object/place=KITCHEN"}


@pytest.mark.parametrize(
    ("forms", "others"),
    [
        ("tape tapes taped taping", "tap taps tapped tapping"),
        ("tube tubes", "tub tubs"),
        ("plane planes", "plan plans planned planning"),
        ("place places placed placing", "glass glasses"),
        ("file files filed filing", "fill fills filled filling"),
        ("remove removes removed removing", "box boxes boxed boxing"),
        ("close closes closed closing", "bus buses"),
        ("wash washes washed washing", "open opens opened opening"),
        ("note notes", "not"),
        ("charge charges charged charging", "vase vases"),
    ],
)
def test_a_word_and_its_inflections_have_one_stem_and_other_words_another(forms, others):
    first, second = ({stem(word) for word in words.split()} for words in (forms, others))
    assert len(first) == len(second) == 1 and first != second


def test_knives_and_shelves_are_a_knife_and_a_shelf():
    memory = EpisodicMemory()
    memory.store_memory(action="WASH", object="KNIFE")
    memory.store_memory(action="WASH", object="SHELF")
    assert memory.query("did you wash the knives?").matches == 1
    assert memory.query("did you wash the shelves?").matches == 1


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("how many of your deliveries succeeded?", 2),
        ("which delivery failed?", 1),
        ("what about the inspections?", 1),
        ("did the exploration of the cellar fail?", 1),
        ("did you ever move in the station?", 0),
        ("what happened to the movement?", 1),
    ],
)
def test_a_noun_made_of_an_action_is_that_action_where_it_is_no_filler_itself(text, matches):
    memory = EpisodicMemory()
    for action, thing, result in (
        ("DELIVER", "CUP", "SUCCESS"),
        ("DELIVER", "TEA", "SUCCESS"),
        ("DELIVER", "CUP", "FAILED"),
        ("INSPECT", "BLADE", "SUCCESS"),
        ("EXPLORE", "CELLAR", "SUCCESS"),
        ("STATE", "NAME", "SUCCESS"),
        ("MOVE", "ARM", "SUCCESS"),
        ("WIND", "MOVEMENT", "SUCCESS"),
    ):
        memory.store_memory(action=action, object=thing, result=result)
    assert memory.query(text).matches == matches


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("did you wait for the elevator?", "WAIT_FOR_ELEVATOR"),
        ("how often did you empty your basket?", "EMPTY_BASKET"),
        ("have you taken a photo of the blade?", "TAKE_PHOTO"),
        ("did you turn off the light in the room?", "TURN_OFF_LIGHT"),
        ("did you take a picture?", "TAKE_A_PICTURE"),
    ],
)
def test_an_action_of_several_words_is_found_with_determiners_in_it(text, action):
    memory = EpisodicMemory()
    for known in ("WAIT_FOR_ELEVATOR", "EMPTY_BASKET", "TURN_OFF_LIGHT", "TAKE_A_PICTURE"):
        memory.store_memory(action=known, place="room")
    memory.store_memory(action="TAKE_PHOTO", object="BLADE", place="room")
    memory.store_memory(action="CLEAN", object="BASKET")
    answer = memory.query(text)
    assert {match.episode.action for match in answer.episodes} == {action}
    assert not answer.set_aside


@pytest.mark.parametrize(
    ("text", "thing"),
    [
        ("did you patrol the servr room?", "SERVER_ROOM"),
        ("did you patrol the server rom?", None),
        ("did you patrol the loding bay?", "LOADING_BAY"),
        ("when did you greet mr nguyn?", "MR_NGUYEN"),
        ("did you greet dr muller?", "DR_MÜLLER"),
        ("did you greet dr mulller?", "DR_MÜLLER"),
        ("did you greet soren?", "SØREN"),
        ("did you greet Maria Garcia?", "MARÍA_GARCÍA"),
        ("did you greet mr smith?", None),
        ("did you patrol the laundry room?", None),
        ("did you patrol the red jug?", None),
    ],
)
def test_a_slip_in_a_name_of_several_words_is_read_and_another_name_is_none(text, thing):
    memory = EpisodicMemory()
    for name in ("SERVER_ROOM", "LOADING_BAY", "RED_MUG", "LOBBY"):
        memory.store_memory(action="PATROL", object=name)
    for name in ("MR_NGUYEN", "DR_MÜLLER", "SØREN", "MARÍA_GARCÍA"):
        memory.store_memory(action="GREET", object=name)
    answer = memory.query(text)
    found = [match.episode.object for match in answer.episodes]
    assert found == ([thing] if thing else []) and (answer.set_aside == ()) == bool(thing)


@pytest.fixture(scope="module")
def rows():
    memory = EpisodicMemory()
    for thing in ("ROW_1", "ROW_2", "ROW_2", "SERVER_ROOM", "ENGINE_ROOM", "TANK"):
        memory.store_memory(action="CHECK", object=thing)
    memory.store_memory(action="OPEN", object="DOOR", gate="GATE_1", place="SERVER_ROOM")
    memory.store_memory(action="OPEN", object="DOOR", gate="GATE_2", place="SERVER_ROOM")
    return memory


@pytest.mark.parametrize(
    ("text", "things"),
    [
        ("which rows did you check?", ["ROW_1", "ROW_2", "ROW_2"]),
        ("which row did you check?", ["ROW_1", "ROW_2", "ROW_2"]),
        ("did you check any rooms?", ["ENGINE_ROOM", "SERVER_ROOM"]),
        ("how many rows were checked?", ["ROW_1", "ROW_2", "ROW_2"]),
        ("how often did you check rows?", ["ROW_1", "ROW_2", "ROW_2"]),
        ("did you check the rows?", ["ROW_1", "ROW_2", "ROW_2"]),
        ("did you check row 2?", ["ROW_2", "ROW_2"]),
        ("did you check row 3?", []),
        ("did you check row three?", []),
        ("did you check them in a row?", []),
        ("did you check the row?", []),
        ("did you check all the rows?", []),
        ("did you check the laundry room?", []),
        ("did you check any laundry rooms?", []),
        ("which servers did you check?", []),
        ("did you check the wrong rows?", []),
        ("which rows did you not check?", []),
    ],
)
def test_a_noun_that_heads_several_names_is_any_of_them(rows, text, things):
    answer = rows.query(text)
    assert sorted(match.episode.object for match in answer.episodes) == things
    assert bool(answer.set_aside) == (not things)


def test_a_kind_is_told_as_it_was_asked_and_is_no_name_of_a_cue(rows):
    answer = rows.query("which rows did you check?")
    assert {str(cue) for cue in answer.understood} == {"action=CHECK", "object=rows"}
    assert rows.query(object="rows").abstained
