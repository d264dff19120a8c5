"""Templates and their immutable versions."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from contacts import audit, authority
from contacts.faults import Fault
from delivery.authoring import locales as languages
from delivery.authoring import markup, mustache, personal, sources, utm
from delivery.authoring.rendering import Words
from delivery.authoring.sources import PARTS, BadSource, Manuscript, Version, Writing
from delivery.models import Template, TemplateVersion
from delivery.models.template import KINDS

CHANNELS = ("email", "sms", "push")
OPTIONS = ("utm", "allow_personal")
MOST_ALLOWED = 50  # names in allow_personal
LONGEST_NAME = 200


class BadTemplate(ValueError):
    """What was written cannot be saved; `faults` says which part, of which language, and why."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, fault.loc))}: {fault.msg}" for fault in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Wording:
    """The words of a version in each of its languages."""

    default: Words
    locales: Mapping[str, Words] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def language_of(self, locale: str) -> str:
        """Which of the languages a contact with that locale reads; empty: the template's own words."""
        return languages.pick(locale, self.locales)

    def read_by(self, locale: str) -> Words:
        """What they read, its links marked for UTM."""
        tag = self.language_of(locale)
        return utm.marked(self.locales[tag] if tag else self.default)


def check(*, subject: str, preheader: str, html: str, text: str) -> list[Fault]:
    """What is wrong with the parts of a template; empty: nothing."""
    faults = []
    for part, source in zip(PARTS, (subject, preheader, html, text), strict=True):
        try:
            mustache.render(source, {}, escape=part == "html")
        except mustache.BadMustache as error:
            faults.append(Fault("mustache", str(error), (part,)))
        if "\x00" in source:
            faults.append(Fault("control_character", "contains a NUL character", (part,)))
    return faults


def made(manuscript: Manuscript) -> Version:
    """What a manuscript comes to, checked as for saving. Raises BadTemplate."""
    if faults := list(_option_faults(manuscript.options)):
        raise BadTemplate(faults)
    try:
        version = sources.made(manuscript)
    except BadSource as error:
        raise BadTemplate(error.faults) from error
    allowed = manuscript.options.get("allow_personal") or ()
    faults = []
    for locale, one in {"": version.default, **version.locales}.items():
        found = [*check(**vars(one.words)), *_personal(one.words, allowed), *_unlawful(one.words)]
        faults += [fault.below("locales", locale) if locale else fault for fault in found]
    if faults:
        raise BadTemplate(faults)
    return version


def save_version(
    *,
    slug: str,
    name: str,
    subject: str = "",
    preheader: str = "",
    html: str = "",
    text: str = "",
    channel: str = "email",
    kind: str = "",
    source: Mapping[str, Any] | None = None,
    locales: Mapping[str, Mapping[str, Any]] | None = None,
    options: Mapping[str, Any] | None = None,
    saved_by: str = "",
    now: datetime,
) -> int:
    """Make the words the live version of the template, which is made where there is none. Returns the version's id; it
    is the present one's if the words are the same. Messages that were enqueued keep the version they came with.

    With `source` ({kind: html · mjml · blocks, body, layout?}) the HTML is made of it and `html` is not read. `locales`
    holds the same for other languages (`sources.Manuscript`). `kind`: message, layout or partial; empty: as it is, or a
    message. `options`: {utm: bool, allow_personal: [name]}. Raises NotAllowed, BadTemplate."""
    authority.require("delivery.add_template", "delivery.change_template")
    if faults := list(_choice_faults(kind, channel)):
        raise BadTemplate(faults)
    with transaction.atomic():
        known = Template.objects.filter(slug=slug).values_list("kind", "channel").first()
        if known and kind and kind != known[0]:
            raise BadTemplate([Fault("kind", f"{slug!r} is a {known[0]}; that never changes", ("kind",))])
        manuscript = Manuscript(
            kind=kind or (known[0] if known else "message"),
            channel=known[1] if known else channel,
            writing=Writing(subject, preheader, html, text, source or {}),
            locales=locales or {},
            options=options or {},
            slug=slug,
        )
        version = made(manuscript)
        unknown = Template(slug=slug, name=name, channel=channel, kind=manuscript.kind, created_at=now)
        Template.objects.bulk_create([unknown], ignore_conflicts=True)
        template = Template.objects.select_for_update(no_key=True).get(slug=slug)
        return _stored(template, version, name=name, options=manuscript.options, saved_by=saved_by, now=now)


def _stored(
    template: Template, version: Version, *, name: str, options: Mapping[str, Any], saved_by: str, now: datetime
) -> int:
    said: dict[str, Any] = {
        **version.default.as_json(),
        "locales": {locale: one.as_json() for locale, one in sorted(version.locales.items())},
        "options": dict(options),
    }
    live = template.live_version
    before = None if live is None else {"name": template.name, "version": live.number}
    if live is None or any(getattr(live, part) != value for part, value in said.items()):
        last = TemplateVersion.objects.filter(template=template).order_by("-number").first()
        number = last.number + 1 if last else 1
        live = TemplateVersion.objects.create(
            template=template, number=number, saved_by=saved_by, created_at=now, **said
        )
    template.name, template.live_version = name, live
    template.save(update_fields=["name", "live_version"])
    if before != (after := {"name": name, "version": live.number}):
        audit.note("template.saved", of=("template", template.slug), name=name, before=before, after=after)
    return live.pk


def outdated(slug: str) -> list[str]:
    """The live templates that were made with an older version of this layout or partial, by slug. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT t.slug FROM templates t JOIN template_versions v ON v.id = t.live_version_id,
                   LATERAL (SELECT v.source AS source UNION ALL
                            SELECT told.value -> 'source' FROM jsonb_each(v.locales) AS told) AS made
             WHERE made.source -> 'uses' ? %s
               AND (made.source -> 'uses' ->> %s)::bigint < (
                   SELECT l.number FROM templates u JOIN template_versions l ON l.id = u.live_version_id
                    WHERE u.slug = %s)
             GROUP BY t.slug ORDER BY t.slug
            """,
            [slug, slug, slug],
        )
        return [row[0] for row in cursor.fetchall()]


def refresh(slugs: Sequence[str], *, saved_by: str = "", now: datetime) -> dict[str, int]:
    """Make the live versions of these templates anew, with the layouts and partials of today: the next versions, by
    slug. Either all of them or none: raises BadTemplate, whose places begin with the slug."""
    found = Template.objects.filter(slug__in=slugs, live_version__isnull=False).select_related("live_version")
    saved: dict[str, int] = {}
    faults: list[Fault] = []
    with transaction.atomic():
        for template in found.order_by("slug").select_for_update(no_key=True, of=("self",)):
            assert template.live_version is not None
            template.live_version.template = template
            manuscript = sources.manuscript_of(template.live_version)
            try:
                version = made(manuscript)
            except BadTemplate as error:
                faults += [fault.below(template.slug) for fault in error.faults]
                continue
            saved[template.slug] = _stored(
                template, version, name=template.name, options=manuscript.options, saved_by=saved_by, now=now
            )
        if faults:
            raise BadTemplate(faults)
    return saved


def live_version_ids(slugs: Sequence[str]) -> dict[str, int]:
    """The live version of each of these that is a message and has one."""
    found = Template.objects.filter(slug__in=slugs, kind="message", live_version__isnull=False)
    return dict(found.values_list("slug", "live_version_id"))


def channels(slugs: Sequence[str]) -> dict[str, str]:
    """For which channel each template is, of those that there are."""
    return dict(Template.objects.filter(slug__in=slugs).values_list("slug", "channel"))


def wording_of(version: Version, options: Mapping[str, Any]) -> Wording:
    """The words of what was made and perhaps never saved."""
    return Wording(version.default.words, {tag: one.words for tag, one in version.locales.items()}, options)


def personal_in(slugs: Sequence[str]) -> dict[str, str]:
    """Which marked attribute the subject or preheader of a live message shows, by slug: it may have been marked since
    the template was saved. At most two statements."""
    ids = live_version_ids(slugs) if slugs and personal.marked() else {}
    wordings = wordings_of(ids.values()) if ids else {}
    found: dict[str, str] = {}
    for slug, version_id in ids.items():
        wording = wordings[version_id]
        allowed = wording.options.get("allow_personal") or ()
        for words in (wording.default, *wording.locales.values()):
            for text in (words.subject, words.preheader):
                for name in personal.shown(text, allowed=allowed):
                    found.setdefault(slug, name)
    return found


def words_of(version_ids: Sequence[int]) -> dict[int, Words]:
    """The words of these versions, in their default language. One statement."""
    return {version_id: wording.default for version_id, wording in wordings_of(version_ids).items()}


def wordings_of(version_ids: Collection[int]) -> dict[int, Wording]:
    """The words of these versions in all of their languages. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, subject, preheader, html, text, NULLIF(locales, '{}')::text, NULLIF(options, '{}')::text
              FROM template_versions WHERE id = ANY(%s)
            """,
            [sorted(set(version_ids))],
        )
        return {
            version_id: Wording(Words(*parts), _locales(others), json.loads(options) if options else {})
            for version_id, *parts, others, options in cursor.fetchall()
        }


def _locales(stored: str | None) -> dict[str, Words]:
    told = json.loads(stored) if stored else {}
    return {locale: Words(**{part: words.get(part) or "" for part in PARTS}) for locale, words in told.items()}


def _personal(words: Words, allowed: Sequence[str]) -> Iterator[Fault]:
    for part in ("subject", "preheader"):
        for fault in personal.faults(getattr(words, part), allowed=allowed, identifiers=True):
            yield fault.below(part)


def _unlawful(words: Words) -> Iterator[Fault]:
    """A way out that nobody sees is none, and a footer of ours would not be added beside it."""
    for name in ("unsubscribe_url", "preferences_url"):
        if markup.hides_all(words.html, name):
            yield Fault("hidden_link", f"the link to {name} is there and cannot be seen", ("html",))


def _choice_faults(kind: str, channel: str) -> Iterator[Fault]:
    if kind and kind not in KINDS:
        yield Fault("choice", f"expected one of {', '.join(KINDS)}", ("kind",))
    if channel not in CHANNELS:
        yield Fault("choice", f"expected one of {', '.join(CHANNELS)}", ("channel",))


def _option_faults(options: Mapping[str, Any]) -> Iterator[Fault]:
    for unknown in sorted(options.keys() - set(OPTIONS)):
        yield Fault("unknown_key", f"there is no option {unknown!r}", ("options", unknown))
    if not isinstance(options.get("utm", True), bool):
        yield Fault("type", "expected true or false", ("options", "utm"))
    names = options.get("allow_personal", [])
    if not isinstance(names, list) or len(names) > MOST_ALLOWED or not all(map(_is_name, names)):
        yield Fault("type", "expected a list of names", ("options", "allow_personal"))


def _is_name(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and name.isprintable()
