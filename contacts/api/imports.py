"""Files of contacts over HTTP: sent, taken up by the bulk lane, and watched."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import IO, Any, ClassVar

from django.core.files.uploadedfile import UploadedFile
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import transactions
from contacts.api.repeating import say_once
from contacts.collect import strict_json
from contacts.faults import Fault
from contacts.importing import mapping, runs, sources, uploads, values
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
    reads_its_body = True  # which may be larger than memory

    @extend_schema(
        operation_id="imports_start",
        request={"text/csv": OpenApiTypes.BINARY, "multipart/form-data": {"type": "object"}},
        parameters=[
            OpenApiParameter("mapping", description='JSON: {"columns": {"E-mail": {"to": "email"}}, "key": ""}'),
            OpenApiParameter("options", description='JSON: {"existing": "update|fill|skip", "tags": [], "lists": []}'),
            OpenApiParameter("dry_run", bool, description="Only say what would happen; see `checked` of the import."),
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
        name = str(asked.get("name") or (file.name if isinstance(file, UploadedFile) else ""))
        dry, said_mapping, said_options = _dry(asked), _json(asked, "mapping"), _json(asked, "options")

        words = json.dumps({each: str(said) for each, said in asked.items()}, sort_keys=True)
        say_once(request._request, request.auth, chain([words.encode("utf-8", "surrogatepass")], _pieces(file)))

        def work(now: datetime) -> ImportRun:
            file.seek(0)
            run = uploads.receive(_pieces(file), name=name, actor="api", now=now)
            said = {each: asked[each] for each in _FORMAT if asked.get(each)}
            form = format_of({**run.format, **said})
            columns = None if said_mapping is None else mapping.mapping_of(said_mapping)
            seen = uploads.preview(run, form)
            if seen.problem:
                raise BadHeader(seen.problem)
            options = options_of({} if said_options is None else said_options)
            runs.start(
                run.pk,
                format=form,
                mapping=columns or mapping.by_name(seen.header),
                options=options,
                dry=dry,
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


def _dry(asked: Mapping[str, Any]) -> bool:
    """What is neither yes nor no is a 400: whoever wants to try a file must not find it imported."""
    said = str(asked.get("dry_run") or "no")
    dry = values.boolean(said.strip())
    if dry is None:
        raise BadRequest("dry_run is true or false.", [Fault("choice", "must be true or false", ("dry_run",))])
    return dry


def _json(asked: Mapping[str, Any], name: str) -> Any:
    """The JSON of a parameter, or of a part of the form that is a file; None where it is not given. As strict as any
    body: what PostgreSQL cannot hold is a 400."""
    said = asked.get(name)
    if not said:
        return None
    text = said.encode("utf-8", "surrogatepass") if isinstance(said, str) else said.read()
    try:
        value = strict_json.read(text)
    except (strict_json.NotJson, strict_json.TooManyValues) as error:
        raise BadRequest(f"{name} is not JSON.", [Fault("syntax", str(error), (name,))]) from error
    if flaw := strict_json.fault_in(value, strict_json.DOCUMENT):
        raise BadRequest(f"{name} is not valid.", [flaw.below(name)])
    return value


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        yield block
