"""Taking away a template that nobody needs. What was sent keeps its words for ever, so a template that was sent stays;
and nothing is taken from under a journey that runs, or from under another template."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connection

from contacts import audit, authority
from contacts.guarded import guarded_path
from delivery.models import Template

Asker = Callable[[str], list[str]]

_askers: list[Asker] = []
_MADE_OF_IT = """
    SELECT DISTINCT t.name FROM templates t JOIN template_versions v ON v.id = t.live_version_id,
           LATERAL (SELECT v.source AS source UNION ALL
                    SELECT told.value -> 'source' FROM jsonb_each(v.locales) AS told) AS made
     WHERE t.slug <> %(slug)s AND (made.source -> 'uses' ? %(slug)s OR made.source ->> 'layout' = %(slug)s) ORDER BY 1
"""
_WAS_SENT = """
    SELECT EXISTS (SELECT FROM templates t JOIN template_versions v ON v.template_id = t.id
                     JOIN messages m ON m.template_version_id = v.id WHERE t.slug = %(slug)s)
"""


class InUse(Exception):
    """The template is kept; `reasons` say why, in words that follow "it"."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


def register(asker: Asker) -> None:
    """Called once per floor from `AppConfig.ready()`. `asker(slug)` gives what of its own sends the template, in words
    such as `the journey “Welcome”`. One statement."""
    _askers.append(asker)


def reasons(slug: str) -> list[str]:
    """Why the template is kept, in words that follow "it"; empty: it may go."""
    with connection.cursor() as cursor:
        cursor.execute(_MADE_OF_IT, {"slug": slug})
        named = [f"the template “{name}”" for (name,) in cursor.fetchall()]
        cursor.execute(_WAS_SENT, {"slug": slug})
        was_sent = cursor.fetchone()[0]
    named += [each for ask in _askers for each in ask(slug)]
    found = [f"is named by {', '.join(named)}"] if named else []
    return [*found, "was sent already, and what was sent keeps its words"] if was_sent else found


def delete(slug: str) -> None:
    """Delete the template with its versions, in the caller's transaction. A draft that names it has a problem from then
    on. Raises NotAllowed, InUse, Template.DoesNotExist; IntegrityError at the commit where a message was made of it
    meanwhile."""
    authority.require("delivery.delete_template")
    assert connection.in_atomic_block, "a template is deleted in the caller's transaction"
    template = Template.objects.select_for_update().get(slug=slug)
    if found := reasons(slug):
        raise InUse(found)
    before = None if template.live_version is None else {"version": template.live_version.number}
    with guarded_path(), connection.cursor() as cursor:
        cursor.execute("UPDATE templates SET live_version_id = NULL WHERE id = %s", [template.pk])
        cursor.execute("DELETE FROM template_versions WHERE template_id = %s", [template.pk])
        cursor.execute("DELETE FROM templates WHERE id = %s", [template.pk])
    audit.note("template.deleted", of=("template", slug), name=template.name, before=before)
