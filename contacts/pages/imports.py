"""Imports: a file is uploaded, its columns are mapped, it is tried, then taken up by the bulk lane and watched."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from contacts import authority, transactions
from contacts.downloads import download
from contacts.exporting import CSV, FORMATS, Selection, Table, export
from contacts.importing import presets, rejects, runs, sources, uploads
from contacts.importing.csv_rows import BadHeader
from contacts.importing.sniffing import Format, format_of
from contacts.models import ImportRun, List, Segment, Tag
from contacts.pages import import_form
from contacts.pages.cells import link, moment, pill, stacked
from contacts.pages.changelists import Empty, ReadOnlyAdmin

SHOWN_REJECTS = 50
MOST_CHOICES = 500
STATES = {
    "waiting": ("To be mapped", "info"),
    "running": ("Importing", "good"),
    "stopped": ("Paused", "warn"),
    "done": ("Done", "plain"),
    "cancelled": ("Cancelled", "plain"),
}
DEEDS = {
    "pause": (runs.pause, "Paused. What was imported stays."),
    "continue": (runs.go_on, "It goes on where it stopped."),
}


@admin.register(ImportRun)
class ImportRunAdmin(ReadOnlyAdmin):
    title_of_list = "Imports"
    nouns = ("import", "imports")
    list_display = ("file", "standing", "figures", "rows_refused", "begun", "by")
    list_display_links = None
    ordering = ("-id",)
    empty = Empty(
        "upload_file",
        "Nothing imported yet",
        "Bring contacts from any CSV or TSV file. You see what each column becomes and what would happen, before "
        "anything is written. In a terminal:",
        ".venv/bin/python manage.py import_contacts people.csv",
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("contacts.import_contacts")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_add_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).defer("mapping", "digest")

    @admin.display(description="File")
    def file(self, run: ImportRun) -> SafeString:
        address = reverse("admin:contacts_importrun_change", args=[run.pk])
        return stacked(link(run.name, address), _size(run.size))

    @admin.display(description="State")
    def standing(self, run: ImportRun) -> SafeString:
        return state_of(run)

    @admin.display(description="Contacts")
    def figures(self, run: ImportRun) -> SafeString:
        if run.state == "waiting" or run.dry:
            return stacked("–")
        return stacked(f"{run.created:,} created", f"{run.updated:,} updated, {run.unchanged:,} unchanged")

    @admin.display(description="Rows refused")
    def rows_refused(self, run: ImportRun) -> str:
        return f"{run.refused:,}"

    @admin.display(description="Begun")
    def begun(self, run: ImportRun) -> SafeString:
        return moment(run.created_at)

    @admin.display(description="By")
    def by(self, run: ImportRun) -> str:
        return run.actor

    # -- pages ----------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("export/", wrap(self.export_view), name="contacts_export"),
            path("<int:pk>/mapping/", wrap(self.mapping_view), name="contacts_importrun_mapping"),
            path("<int:pk>/progress/", wrap(self.progress_view), name="contacts_importrun_progress"),
            path("<int:pk>/rejects/", wrap(self.rejects_view), name="contacts_importrun_rejects"),
            path("<int:pk>/deed/", wrap(self.deed_view), name="contacts_importrun_deed"),
            *super().get_urls(),
        ]

    def _page(self, request: HttpRequest, template: str, title: str, crumb: str, **context: Any) -> TemplateResponse:
        base = {**self.admin_site.each_context(request), "opts": self.opts, "title": title}
        return TemplateResponse(request, template, {**base, "crumbs": self.crumbs(crumb), **context})

    def _run(self, request: HttpRequest, pk: int | str, *, to_import: bool = True) -> ImportRun:
        allowed = self.has_add_permission(request) if to_import else self.has_view_permission(request)
        if not allowed:
            raise PermissionDenied
        run = ImportRun.objects.filter(pk=pk).first()
        if run is None:
            raise Http404
        return run

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        error = ""
        if request.method == "POST":
            file = request.FILES.get("file")
            if file is None:
                error = "Choose a file first."
            else:
                actor = request.user.get_username()
                try:
                    run = transactions.run(
                        lambda now: uploads.receive(file.chunks(), name=file.name or "", actor=actor, now=now)
                    )
                    return HttpResponseRedirect(reverse("admin:contacts_importrun_mapping", args=[run.pk]))
                except (BadHeader, sources.TooLarge) as refused:
                    error = f"This file cannot be imported: {refused}."
        response = self._page(
            request, "admin/contacts/import_upload.html", "Import contacts", "New import", error=error
        )
        response.status_code = 422 if error else 200
        return response

    def mapping_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = self._run(request, pk)
        if run.state != "waiting":
            return HttpResponseRedirect(reverse("admin:contacts_importrun_change", args=[pk]))
        said, problem = request.POST if request.method == "POST" else None, ""
        try:
            form = import_form.format_said(said, run) if said else format_of(run.format)
        except ValueError as error:
            form, problem = format_of(run.format), str(error)
        seen = uploads.preview(run, form)
        plan = import_form.Plan(run, seen, said)
        if said is not None and not problem and said.get("deed") in {"check", "start", "remember"}:
            problem = plan.problem()
            if not problem:
                try:
                    if answer := self._map(request, run, form, plan, str(said["deed"])):
                        return answer
                except (BadHeader, ValueError, runs.NotThere) as error:
                    problem = str(error)
        refused = list(rejects.of_run(pk, most=SHOWN_REJECTS)) if run.checked else []
        response = self._page(
            request,
            "admin/contacts/import_mapping.html",
            f"Import {run.name}",
            run.name,
            run=run,
            seen=seen,
            plan=plan,
            problem=problem or seen.problem,
            refused=refused,
            size=_size(run.size),
            **import_form.choices(form),
            presets=presets.names(),
        )
        response.status_code = 422 if problem else 200
        return response

    def _map(
        self, request: HttpRequest, run: ImportRun, form: Format, plan: import_form.Plan, deed: str
    ) -> HttpResponse | None:
        if deed == "remember":
            presets.remember(plan.preset_name, plan.mapping)
            messages.success(request, "The mapping is remembered. Choose it when the next file of this kind comes.")
            return None
        transactions.run(
            lambda now: runs.start(
                run.pk, format=form, mapping=plan.mapping, options=plan.options, dry=deed == "check", now=now
            )
        )
        return HttpResponseRedirect(reverse("admin:contacts_importrun_change", args=[run.pk]))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        run = self._run(request, object_id if object_id.isdigit() else "0", to_import=False)
        may = self.has_add_permission(request)
        if run.state == "waiting" and may:
            return HttpResponseRedirect(reverse("admin:contacts_importrun_mapping", args=[run.pk]))
        return self._page(
            request,
            "admin/contacts/import_run.html",
            run.name,
            run.name,
            run=run,
            size=_size(run.size),
            state=state_of(run),
            percent=_percent(run),
            refused=list(rejects.of_run(run.pk, most=SHOWN_REJECTS)) if may else [],
            may_import=may,
            columns=(run.mapping.get("columns") or {}).items(),
        )

    def progress_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        return JsonResponse(runs.figures(self._run(request, pk, to_import=False)))

    def rejects_view(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        run = self._run(request, pk)
        return download(rejects.as_csv(run.pk), CSV, f"refused-{run.pk}")

    def deed_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = self._run(request, pk)
        if request.method != "POST":
            raise PermissionDenied
        deed = request.POST.get("deed", "")

        def work(now: datetime) -> str:
            if deed == "cancel":
                runs.cancel(run.pk, now=now)
                return "Cancelled, and the file is deleted. What was imported stays."
            act, words = DEEDS[deed]
            act(run.pk)
            return words

        try:
            messages.success(request, transactions.run(work))
        except (runs.NotThere, KeyError):
            messages.warning(request, "That cannot be done now: look at its state.")
        return HttpResponseRedirect(reverse("admin:contacts_importrun_change", args=[pk]))

    # -- the other way --------------------------------------------------------------------------------------------

    def export_view(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        """A file of masked addresses would be good for nothing, and harm where it is imported again."""
        if not request.user.has_perms(["contacts.export_contacts", authority.SEE_PERSONAL_DATA]):
            raise PermissionDenied
        if request.method == "POST":
            said = {name: str(value).replace("\x00", "") for name, value in request.POST.items()}
            kind = said.get("as", CSV)
            if kind not in FORMATS:
                raise Http404
            selection = Selection(said.get("tag", ""), said.get("list", ""), said.get("segment", ""))
            return download(export(selection, Table(kind, raw=said.get("raw") == "yes")), kind)
        return self._page(
            request,
            "admin/contacts/export.html",
            "Export contacts",
            "Export",
            lists=List.objects.order_by("name")[:MOST_CHOICES],
            segments=Segment.objects.order_by("name")[:MOST_CHOICES],
            tags=Tag.objects.order_by("name")[:MOST_CHOICES],
            chosen={name: request.GET.get(name, "") for name in ("tag", "list", "segment")},
        )


def state_of(run: ImportRun) -> SafeString:
    words, tone = STATES[run.state]
    if run.state == "running" and run.dry:
        words = "Trying"
    if run.state == "stopped" and run.fault:
        words, tone = "Stopped", "bad"
    return pill(words, tone)


def _percent(run: ImportRun) -> int:
    return int(100 * run.position / run.size) if run.size else 100


def _size(count: int) -> SafeString:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 1000)):
        if count >= size:
            return format_html("{} {}", f"{count / size:.1f}", unit)
    return format_html("{} bytes", count)
