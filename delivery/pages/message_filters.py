"""Which messages a list shows. What became of a message stands in the log, which is read by what and when: so all that
asks the log is one question together, and none of it reads all messages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import BooleanField, Exists, F, Func, Max, OuterRef, QuerySet, Subquery
from django.http import HttpRequest

from contacts import clock
from delivery import providers, wording
from delivery.ledger import TOLD
from delivery.models import Message, OutboxEntry, PostTally, SendLogEntry, Template
from delivery.models.message import OPEN_STATES, STATES

NEWEST_FOUND = 10_000  # messages that a question to the log answers with, of each kind of entry
NEWEST_READ = 100_000  # rows of the log in which they are looked for
NEWEST_LOOKED_THROUGH = 200_000  # messages, where there is no index to ask
REASONS_SINCE = timedelta(days=90)
MOST_CHOICES = 100
DAYS = {"today": "Today", "yesterday": "Yesterday", "7": "The past 7 days", "30": "The past 30 days"}


class _OfTheLog(admin.SimpleListFilter):
    """Asked by StateFilter, together with the others."""

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [(state, state.replace("_", " ").capitalize()) for state in STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        state = self.value() or ""
        if state in OPEN_STATES:
            queryset = queryset.filter(pk__in=OutboxEntry.objects.filter(state=state).values("message_id"))
        found = _asked_of_the_log(request, state if state in STATES and state not in OPEN_STATES else "")
        if found is None:
            return queryset
        return queryset.none() if found.query.is_empty() else queryset.filter(_Among(F("pk"), Subquery(found)))


class _Among(Func):
    """Whether the first is in the second, a query, which is asked once and before: so that of the messages no other is
    read. An `IN` may go through all of them for it, the newest first."""

    template, arg_joiner = "(%(expressions)s))", " = ANY(ARRAY"
    output_field = BooleanField()


def _asked_of_the_log(request: HttpRequest, state: str) -> QuerySet | None:
    """The messages that the log answers with; None: nothing was asked of it."""
    what, _, reason = request.GET.get("reason", "").partition(":")
    provider = request.GET.get("provider", "")
    span = _span(request.GET.get("day", ""), clock.now())
    known = what if what in TOLD and reason else ""
    if known and state and state != known:
        return SendLogEntry.objects.none().values("message_id")
    if not (state or known or provider or span) or "\x00" in reason + provider:
        return None
    kind = known or state
    kinds = [kind] if kind else ["claimed"] if provider else sorted(TOLD)
    first, *more = [_newest(each, reason if known else "", provider, span) for each in kinds]
    return first.union(*more, all=True) if more else first


def _newest(kind: str, reason: str, provider: str, span: tuple[datetime, datetime] | None) -> QuerySet:
    """Kind by kind, since so an index has them in their order: of several at once a whole month would be sorted."""
    rows = SendLogEntry.objects.filter(kind=kind)
    if span:
        rows = rows.filter(at__gte=span[0], at__lt=span[1])
    if kind == "rejected":  # a final word is the last one, unless the message was sent anew
        later = SendLogEntry.objects.filter(message=OuterRef("message"), kind="replayed", id__gt=OuterRef("id"))
        rows = rows.filter(~Exists(later))
    newest = rows.order_by("-at")
    if reason or provider:
        newest = SendLogEntry.objects.filter(pk__in=newest.values("pk")[:NEWEST_READ]).order_by("-at")
        newest = newest.filter(**({"reason": reason} if reason else {}), **({"provider": provider} if provider else {}))
    return newest.values("message_id")[:NEWEST_FOUND]


def _span(asked: str, now: datetime) -> tuple[datetime, datetime] | None:
    """From when until when (UTC): a word of DAYS, or a day such as 2025-03-08."""
    today = now.astimezone(UTC).date()
    first, last = today, today
    if asked == "yesterday":
        first = last = today - timedelta(days=1)
    elif asked in {"7", "30"}:
        first = today - timedelta(days=int(asked) - 1)
    elif asked != "today":
        try:
            first = last = date.fromisoformat(asked)
        except ValueError:
            return None
    try:
        return datetime(*first.timetuple()[:3], tzinfo=UTC), datetime(*last.timetuple()[:3], tzinfo=UTC) + timedelta(1)
    except OverflowError:
        return None


class ReasonFilter(_OfTheLog):
    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        """Those that there were lately."""
        since = (clock.now() - REASONS_SINCE).date()
        found = PostTally.objects.filter(day__gte=since, what__in=sorted(TOLD)).exclude(reason="")
        pairs = found.values_list("what", "reason").distinct().order_by("what", "reason")[:MOST_CHOICES]
        return [(f"{what}:{reason}", wording.verdict(what, reason)) for what, reason in pairs]


class ProviderFilter(_OfTheLog):
    title = "provider"
    parameter_name = "provider"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        used = {name for channel in providers.CHANNELS for name in providers.names(channel)}
        asked = request.GET.get("provider", "")
        return [
            (name, providers.title(name))
            for name in sorted(used | ({asked} if asked in providers.entries() else set()))
        ]


class DayFilter(_OfTheLog):
    title = "day of its outcome"
    parameter_name = "day"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return list(DAYS.items())

    def choices(self, changelist: Any) -> Iterator[Any]:
        yield from super().choices(changelist)
        asked = self.value() or ""
        if asked and asked not in DAYS:
            query = changelist.get_query_string({self.parameter_name: asked})
            yield {"selected": True, "query_string": query, "display": asked}


class TemplateFilter(admin.SimpleListFilter):
    title = "template"
    parameter_name = "template"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        names = Template.objects.filter(kind="message").order_by("name").values_list("slug", "name")
        return list(names[:MOST_CHOICES])

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        asked = self.value()
        return queryset.filter(template_version__template__slug=asked) if asked and "\x00" not in asked else queryset


class JourneyFilter(admin.SimpleListFilter):
    """By the journey's id: a link from its page leads here."""

    title = "journey"
    parameter_name = "workflow"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        from contacts.pages import floors

        asked = request.GET.get("workflow", "")
        ids = list(Message.objects.filter(pk__gt=_after(NEWEST_READ)).values_list("workflow_id", flat=True).distinct())
        if asked.isascii() and asked.isdigit() and len(asked) < 18:
            ids.append(int(asked))
        names = floors.names("workflow", ids)
        return sorted(((str(id), name.text) for id, name in names.items()), key=lambda each: each[1])[:MOST_CHOICES]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        asked = self.value() or ""
        return queryset.filter(workflow_id=int(asked)) if asked.isascii() and asked.isdigit() else queryset


class StepFilter(admin.SimpleListFilter):
    """Of a journey, where a link from its page leads here; of its newest messages."""

    title = "step"
    parameter_name = "step"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        asked = request.GET.get("step", "")
        return [(asked, asked)] if asked and request.GET.get("workflow") else []

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        asked = self.value()
        if not asked or "\x00" in asked:
            return queryset
        return queryset.filter(step=asked, pk__gt=_after(NEWEST_LOOKED_THROUGH))


class ChannelFilter(admin.SimpleListFilter):
    title = "channel"
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("email", "Email"), ("sms", "SMS"), ("push", "Push")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in providers.CHANNELS:
            return queryset
        return queryset.filter(channel=self.value(), pk__gt=_after(NEWEST_LOOKED_THROUGH))


class ClassFilter(admin.SimpleListFilter):
    title = "class"
    parameter_name = "class"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("marketing", "Marketing"), ("transactional", "Transactional")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in {"marketing", "transactional"}:
            return queryset
        return queryset.filter(message_class=self.value(), pk__gt=_after(NEWEST_LOOKED_THROUGH))


def _after(count: int) -> int:
    """The id after which the newest so many messages begin, or nearly so."""
    newest: int = Message.objects.aggregate(newest=Max("pk"))["newest"] or 0
    return newest - count
