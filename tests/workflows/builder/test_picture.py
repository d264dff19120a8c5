"""What stands on the map for those who see it and those who hear it, and the miniature of a journey."""

from __future__ import annotations

import copy
import re
from html.parser import HTMLParser

import pytest
from django.template.loader import render_to_string

from tests.workflows.builder.scribbled import grown
from tests.workflows.builder.starter import STARTER
from workflows.builder.layout.miniature import miniature
from workflows.builder.picture import picture
from workflows.definition.problems import Problem


class Elements(HTMLParser):
    """Every element with its attributes, in their order."""

    def __init__(self, text):
        super().__init__()
        self.all = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.all.append((tag, dict(attrs)))

    def at(self, place):
        return next(number for number, (_, attributes) in enumerate(self.all) if attributes.get("id") == place)

    def of(self, place):
        return self.all[self.at(place)][1]


def stage(definition, problems=(), *, may_change=True):
    shown = {"picture": picture(definition, problems), "may_change": may_change}
    return Elements(render_to_string("admin/workflows/builder/stage.html", shown))


def named(page, place):
    return page.of(place)["aria-label"]


def card(page, step):
    """The name of the button that fills the card."""
    return next(attributes["aria-label"] for tag, attributes in page.all[page.at(f"card-{step}") :] if tag == "button")


def test_each_card_says_its_place_its_kind_its_name_and_what_it_does():
    page = stage(STARTER)
    assert card(page, "morning").startswith("Step 2 of 4, Wait: Nine in the morning, their time. ")
    assert "09:00" in card(page, "morning")
    assert card(page, ".trigger").startswith("Trigger: ")


def test_a_card_with_problems_says_how_many():
    page = stage(STARTER, [Problem("welcome", "config.template", "ref_missing", "there is no template")])
    assert card(page, "welcome").endswith("1 problem")
    assert "problem" not in card(page, "morning")


def test_a_card_with_remarks_alone_is_amber_and_says_that_they_are_remarks():
    remark = Problem("welcome", "config.template", "duplicate_send", "it is sent twice", "warning")
    mistake = Problem("welcome", "config.template", "ref_missing", "there is no template")
    shown = {"picture": picture(STARTER, [remark]), "may_change": True}
    page = stage(STARTER, [remark])
    assert card(page, "welcome").endswith("1 remark")
    assert page.of("card-welcome")["class"].split()[-1] == "jb-mild"
    assert "Remark: it is sent twice" in render_to_string("admin/workflows/builder/stage.html", shown)
    both = stage(STARTER, [remark, mistake])
    assert card(both, "welcome").endswith("1 problem")
    assert both.of("card-welcome")["class"].split()[-1] == "jb-bad"
    shown["picture"] = picture(STARTER, [remark, mistake])
    assert "error</span>there is no template" in render_to_string("admin/workflows/builder/stage.html", shown)


def test_each_plus_says_after_what_on_which_path_and_before_what_paths_meet():
    met = copy.deepcopy(STARTER)
    met["steps"]["opened"]["next"]["else"] = "engaged"
    page = stage(met)
    assert named(page, "plus-welcome-next") == "Add a step after step 1, Welcome"
    assert named(page, "plus-opened-else").startswith("Add a step after step 3, Opened the welcome?, path ")
    assert named(page, "trunk-engaged") == "Add a step where the paths meet, before step 4, Tag as engaged"
    assert page.of("plus-welcome-next")["data-target"] == "morning"


def test_the_map_is_one_stop_of_the_tab_key():
    page = stage(grown(16))
    stops = [attributes for tag, attributes in page.all if tag == "button" and attributes.get("tabindex") != "-1"]
    assert len(stops) == 1


def test_who_may_not_change_a_journey_sees_no_plus():
    page = stage(STARTER, may_change=False)
    assert not [attributes for _, attributes in page.all if "jb-plus" in attributes.get("class", "")]


def test_nothing_is_said_in_a_style_attribute():
    elements = [*stage(grown(16)).all, *Elements(miniature(grown(16))).all]
    assert len(elements) > 100
    assert not [attributes for _, attributes in elements if "style" in attributes]


def test_words_of_a_draft_are_text_on_the_map():
    hostile = copy.deepcopy(STARTER)
    hostile["steps"]["welcome"]["name"] = '"><script>alert(1)</script>'
    hostile["steps"]["opened"]["next"]['"><img src=x>'] = "welcome"
    assert not [tag for tag, _ in stage(hostile).all if tag in ("script", "img")]


def test_a_miniature_shows_every_step_and_every_line_in_the_colour_around_it():
    small = Elements(miniature(STARTER)).all
    cards = [attributes for tag, attributes in small if tag == "rect" and attributes["width"] == "272"]
    assert len(cards) == len(STARTER["steps"]) + 1
    assert [attributes["d"].count("M") for tag, attributes in small if tag == "path"] == [len(picture(STARTER).ways)]
    assert set(re.findall(r'(?:fill|stroke)="([^"]+)"', miniature(STARTER))) == {"none", "currentColor"}


@pytest.mark.parametrize("definition", [{}, {"steps": {"a": None}, "start": "b"}])
def test_a_journey_without_steps_has_a_miniature_too(definition):
    assert miniature(definition).startswith("<svg ")


def test_of_a_long_journey_the_miniature_shows_the_beginning():
    box = Elements(miniature(grown(64))).all[0][1]["viewbox"].split()
    assert float(box[3]) <= 1600 < picture(grown(64)).drawing.height
