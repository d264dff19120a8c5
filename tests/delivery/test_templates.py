"""Templates and their versions."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, InternalError, connection, transaction

from contacts import clock
from delivery.authoring import templates
from delivery.models import Template, TemplateVersion
from tests.delivery import making

pytestmark = pytest.mark.django_db


def test_a_new_template_is_live_at_once_as_version_1():
    version_id = making.template("welcome")
    assert TemplateVersion.objects.get(pk=version_id).number == 1
    assert templates.live_version_ids(["welcome", "nothing"]) == {"welcome": version_id}


def test_other_words_are_another_version_and_the_same_words_are_not():
    first, same = making.template("welcome"), making.template("welcome")
    other = making.template("welcome", subject="Hello again")
    back = making.template("welcome")
    assert first == same and len({first, other, back}) == 3
    assert templates.live_version_ids(["welcome"]) == {"welcome": back}
    assert list(TemplateVersion.objects.order_by("number").values_list("number", flat=True)) == [1, 2, 3]


def test_a_message_keeps_the_words_that_it_came_with():
    message = making.message(version_id=making.template("welcome", subject="First"))
    making.template("welcome", subject="Second")
    making.deliver()
    assert making.mails(message)[0].subject == "First"


def test_words_that_are_no_mustache_are_refused_with_the_part_at_fault():
    with pytest.raises(templates.BadTemplate) as refused:
        making.template("welcome", subject="{{#a}}", html="{{/b}}", text="fine")
    assert [(fault.loc, fault.code) for fault in refused.value.faults] == [
        (("subject",), "mustache"),
        (("html",), "mustache"),
    ]
    assert not Template.objects.exists()


def test_a_nul_is_refused():
    with pytest.raises(templates.BadTemplate):
        making.template("welcome", text="a\x00b")


def test_a_version_cannot_be_changed():
    version_id = making.template("welcome")
    with pytest.raises((IntegrityError, InternalError)), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE template_versions SET subject = 'x' WHERE id = %s", [version_id])


def test_an_empty_template_may_be_saved():
    assert templates.save_version(slug="empty", name="Empty", subject="", html="", now=clock.now())
