"""Files of contacts over HTTP: sent, taken up by the bulk lane, and watched."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import IO, Any, ClassVar

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import transactions
from contacts.faults import Fault
from contacts.importing import mapping, runs, sources, uploads
from contacts.importing.csv_rows import BadHeader
from contacts.importing.reading import BLOCK
from contacts.importing.shape import options_of
from contacts.importing.sniffing import format_of
from contacts.models import ImportRun
from contacts.problems import BadRequest, TooLarge

_FORMAT = ("encoding", "delimiter", "quote")


class FileParser(BaseParser):
    """A body that is the file itself; it goes to the disk first, so that no transaction waits for a slow sender."""

    media_type = "text/csv"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        file = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the request)
        shutil.copyfileobj(stream, file, BLOCK)
        file.seek(0)
        return {"file": file}


class TabParser(FileParser):
    media_type = "text/tab-separated-values"


class RunShape(serializers.Serializer[Any]):
    """`position` of `size` bytes are read; `created`, `updated` and `unchanged` count contacts, `refused` and
    `repeated` rows."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    state = serializers.ChoiceField(["waiting", "running", "stopped", "done", "cancelled"])
    dry = serializers.BooleanField()
    size = serializers.IntegerField()
    position = serializers.IntegerField()
    share = serializers.FloatField()
    line = serializers.IntegerField()
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    repeated = serializers.IntegerField()
    refused = serializers.IntegerField()
    fault = serializers.CharField()
    checked = serializers.JSONField(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class ImportList(APIView):
    required_scope: ClassVar[Mapping[str, str]] = {"POST": "contacts:write"}
    parser_classes: ClassVar = [MultiPartParser, FileParser, TabParser]

    @extend_schema(
        operation_id="imports_start",
        request={"text/csv": OpenApiTypes.BINARY, "multipart/form-data": {"type": "object"}},
        parameters=[
            OpenApiParameter("mapping", description='JSON: {"columns": {"E-mail": {"to": "email"}}, "key": ""}'),
            OpenApiParameter("options", description='JSON: {"existing": "update|fill|skip", "tags": [], "lists": []}'),
            *(OpenApiParameter(name) for name in _FORMAT),
        ],
        responses={202: RunShape},
    )
    def post(self, request: Request) -> Response:
        """Import a file: the body, or the part `file` of a form. Columns are taken by name (as `import_contacts` does)
        unless there is a mapping. 202: the file is kept, and the bulk lane reads it; see `/imports/{id}`."""
        file: IO[bytes] | None = request.data.get("file")
        if file is None or isinstance(file, str):
            raise BadRequest("There is no file.", [Fault("missing", "must be a file", ("file",))])
        asked = {name: request.data.get(name) for name in request.data if name != "file"} | request.query_params.dict()
        name = str(asked.get("name") or getattr(file, "name", "") or "upload")

        def work(now: datetime) -> ImportRun:
            file.seek(0)
            run = uploads.receive(_pieces(file), name=name, actor="api", now=now)
            said = {each: asked[each] for each in _FORMAT if asked.get(each)}
            form = format_of({**run.format, **said})
            columns = mapping.mapping_of(json.loads(asked["mapping"])) if asked.get("mapping") else None
            seen = uploads.preview(run, form)
            if seen.problem:
                raise BadHeader(seen.problem)
            options = options_of(json.loads(asked.get("options") or "{}"))
            if unknown := sorted(set(options.lists) - runs.known_lists()):
                raise ValueError(f"there is no list {unknown[0]!r}")
            runs.start(
                run.pk,
                format=form,
                mapping=columns or mapping.by_name(seen.header),
                options=options,
                dry=asked.get("dry_run") in {"true", "1"},
                now=now,
            )
            run.refresh_from_db()
            return run

        try:
            run = transactions.run(work)
        except sources.TooLarge as error:
            raise TooLarge from error
        except ValueError as error:  # a BadHeader too
            raise BadRequest(f"The file cannot be imported: {error}") from error
        return Response(runs.figures(run), status=202)


class ImportDetail(APIView):
    required_scope = "contacts:read"

    @extend_schema(operation_id="imports_show", responses=RunShape)
    def get(self, request: Request, run_id: str) -> Response:
        """How far it is, and what it did."""
        run = ImportRun.objects.filter(pk=int(run_id)).first()
        if run is None:
            raise Http404
        return Response(runs.figures(run))


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        yield block
