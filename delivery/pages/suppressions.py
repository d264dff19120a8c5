"""Suppressions: addresses that are not written to. They can be added and released, never deleted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminTextInputWidget

from contacts import clock, personal
from contacts.downloads import download
from contacts.pages.cells import NOTHING, link, moment, pill, stacked
from contacts.pages.changelists import Empty, RecordAdmin
from delivery import addresses, providers, suppression, suppression_lists
from delivery.models import Address, Suppression
from delivery.suppression_lists import TakenIn

SCOPES = {
    "all": "Everything, also receipts and passwords",
    "email": "Marketing email",
    "topic": "Marketing email of one topic",
}
REASONS = {
    "unsubscribe": ("Unsubscribed", "warn"),
    "hard_bounce": ("Hard bounce", "bad"),
    "soft_bounce": ("Soft bounces", "warn"),
    "complaint": ("Spam complaint", "bad"),
    "manual": ("By hand", "info"),
    "provider": ("By the provider", "warn"),
}
SOURCES = {
    "page": "The unsubscribe page",
    "one_click": "One-click unsubscribe",
    "api": "The API",
    "admin": "The admin",
    "import": "A list",
}


MOST_ROWS = 20_000  # of a list that is brought in by this page: a few seconds; the command takes any number
MOST_BYTES = 4_000_000


class NewSuppression(forms.Form):
    address = forms.EmailField(widget=UnfoldAdminEmailInputWidget, label="Email address")
    scope = forms.ChoiceField(choices=list(SCOPES.items()), initial="email", widget=forms.RadioSelect)
    topic = forms.SlugField(
        required=False, widget=UnfoldAdminTextInputWidget, help_text="Only for one topic: its name, as journeys use it"
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("scope") == "topic" and not data.get("topic"):
            self.add_error("topic", "Say which topic.")
        return data

    @property
    def chosen_scope(self) -> str:
        scope = self.cleaned_data["scope"]
        return self.cleaned_data["topic"] if scope == "topic" else scope


class StandingFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("yes", "Standing"), ("no", "Released")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in {"yes", "no"}:
            return queryset
        return queryset.filter(released_at__isnull=self.value() == "yes")


class ReasonFilter(admin.SimpleListFilter):
    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [(reason, words) for reason, (words, _) in REASONS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(reason=self.value()) if self.value() else queryset


@admin.register(Suppression)
class SuppressionAdmin(RecordAdmin):
    list_display = ("address_shown", "scope_words", "reason_pill", "came_by", "since", "standing")
    list_display_links = ("address_shown",)
    list_select_related = ("address",)
    list_filter = (StandingFilter, ReasonFilter)
    ordering = ("-id",)
    scanning = ("standing", "reason")
    search_fields = ("address",)
    search_help_text = "An address, exactly"
    actions = ("release_selected",)
    list_before_template = "admin/delivery/suppression_list_head.html"
    record_template = "admin/delivery/suppression.html"
    empty = Empty(
        "block",
        "Nobody is suppressed",
        "Unsubscribes, hard bounces and complaints come here by themselves, and nothing is sent to these addresses.",
    )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        may = {"may_import": self.has_add_permission(request), "may_export": self.may_export(request)}
        return super().changelist_view(request, {**may, **(extra_context or {})})

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("delivery.add_suppression")

    def has_release_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("delivery.change_suppression")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        known = Q()
        for channel in ("email", "sms"):
            known |= Q(channel=channel, key_hash__in=addresses.keys(channel, term))
        return queryset.filter(address__in=Address.objects.filter(known)), False

    @admin.display(description="Address")
    def address_shown(self, row: Suppression) -> SafeString:
        return stacked(shown(row.address), row.address.channel)

    @admin.display(description="Stops")
    def scope_words(self, row: Suppression) -> str:
        return scope_words(row.scope)

    @admin.display(description="Reason")
    def reason_pill(self, row: Suppression) -> SafeString:
        return pill(*REASONS.get(row.reason, (row.reason, "plain")))

    @admin.display(description="Came by")
    def came_by(self, row: Suppression) -> str:
        return source_words(row.source)

    @admin.display(description="Since")
    def since(self, row: Suppression) -> SafeString:
        return moment(row.created_at)

    @admin.display(description="State")
    def standing(self, row: Suppression) -> SafeString:
        return pill("Released", "plain") if row.released_at else pill("Standing", "bad")

    @admin.action(description="Release the selected addresses", permissions=["release"])
    def release_selected(self, request: HttpRequest, queryset: QuerySet) -> None:
        released = sum(_release(row, request) for row in queryset.select_related("address")[:500])
        messages.success(request, f"Released: {released}. These addresses may be written to again.")

    def record(self, request: HttpRequest, row: Suppression, *, now: datetime) -> dict[str, Any]:
        cause = link("the message that led to it", reverse("admin:delivery_message_change", args=[row.message_id or 0]))
        return {
            "name": shown(row.address),
            "facts": [
                ("State", self.standing(row)),
                ("Stops", scope_words(row.scope)),
                ("Reason", self.reason_pill(row)),
                ("Came by", source_words(row.source)),
                ("Since", moment(row.created_at, seconds=True)),
                ("Led to by", cause if row.message_id else NOTHING),
                *(
                    [
                        ("Released", moment(row.released_at, seconds=True)),
                        ("Released by", row.released_by),
                        ("Because", row.released_why or NOTHING),
                    ]
                    if row.released_at
                    else []
                ),
            ],
            "may_release": row.released_at is None and self.has_release_permission(request),
        }

    # -- adding and releasing -------------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        release = self.admin_site.admin_view(self.release_view)
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/release/", release, name="delivery_suppression_release"),
            path("import/", wrap(self.import_view), name="delivery_suppression_import"),
            path("export/", wrap(self.export_view), name="delivery_suppression_export"),
            *super().get_urls(),
        ]

    def may_export(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm("contacts.export_contacts")

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Not inside a transaction: the door commits every few hundred rows, and waits for each. The page's script
        sends a list in pieces, each of which is answered with its counts."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        taken, problem = None, ""
        if request.method == "POST":
            try:
                taken = suppression_lists.take_in(_lines(request), source="import", most=MOST_ROWS)
            except suppression_lists.BadList as error:
                problem = str(error)
            if request.headers.get("Accept") == "application/json":
                return _counts(taken, problem)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Import suppressions",
            "crumbs": self.crumbs("Import"),
            "taken": taken,
            "problem": problem,
            "most": MOST_ROWS,
            "reasons": REASONS.items(),
        }
        return TemplateResponse(
            request, "admin/delivery/suppression_import.html", context, status=422 if problem else 200
        )

    def export_view(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        if not self.may_export(request):
            raise PermissionDenied
        return download(suppression_lists.export(), "csv", "suppressions")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Not inside a transaction: the door commits, then waits until no request to the address can start."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = NewSuppression(request.POST or None)
        if request.method == "POST" and form.is_valid():
            suppression.suppress(
                channel="email",
                address=form.cleaned_data["address"],
                scope=form.chosen_scope,
                reason="manual",
                source="admin",
                now=clock.now(),
            )
            messages.success(request, f"Nothing more is sent to {form.cleaned_data['address']}.")
            return HttpResponseRedirect(reverse("admin:delivery_suppression_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Suppress an address",
            "crumbs": self.crumbs("Suppress an address"),
            "form": form,
            "scopes": SCOPES.items(),
        }
        return TemplateResponse(request, "admin/delivery/suppression_new.html", context)

    def release_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if request.method != "POST" or not self.has_release_permission(request):
            raise PermissionDenied
        row = Suppression.objects.select_related("address").filter(pk=pk).first()
        if row is not None and _release(row, request):
            messages.success(request, f"Released: {shown(row.address)} may be written to again.")
        return HttpResponseRedirect(reverse("admin:delivery_suppression_change", args=[pk]))


def _release(row: Suppression, request: HttpRequest) -> int:
    """The suppressions of this address and scope; an erased address cannot be named, and so never released here."""
    if row.released_at is not None or not row.address.shown:
        return 0
    return suppression.release(
        channel=row.address.channel,
        address=row.address.shown,
        scope=row.scope,
        by=request.user.get_username(),
        why=" ".join(request.POST.get("why", "").replace("\x00", "").split())[:300],
        now=clock.now(),
    )


def _counts(taken: TakenIn | None, problem: str) -> JsonResponse:
    """{rows, added, standing, refused, faults: [[line, why]]}, or 422 {problem}."""
    if taken is None:
        return JsonResponse({"problem": problem}, status=422)
    counts = {name: getattr(taken, name) for name in ("rows", "added", "standing", "refused")}
    return JsonResponse({**counts, "faults": taken.faults})


def _lines(request: HttpRequest) -> list[str]:
    """The lines of the uploaded list. Raises BadList."""
    upload = request.FILES.get("list")
    if upload is None or isinstance(upload, list):
        raise suppression_lists.BadList("Choose a file.")
    if (upload.size or 0) > MOST_BYTES:
        raise suppression_lists.BadList(
            f"The file is larger than {MOST_BYTES // 1_000_000} MB: let the command take it."
        )
    try:
        return upload.read().decode("utf-8-sig").splitlines(keepends=True)
    except UnicodeDecodeError as error:
        raise suppression_lists.BadList("The file is not UTF-8. Save it as CSV UTF-8.") from error


def shown(address: Address) -> str:
    return personal.address(address.shown) or f"Erased address {address.pk}"


def source_words(source: str) -> str:
    by, _, provider = source.partition(":")
    return f"A report of {providers.title(provider)}" if by == "webhook" else SOURCES.get(source, source)


def scope_words(scope: str) -> str:
    if scope == "all":
        return "Everything"
    return f"Marketing {scope}" if scope in {"email", "sms", "push"} else f"Topic {scope}"
