"""One enrolment over HTTP: taking somebody out of a workflow by hand."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.db.models import OuterRef, Subquery
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import transactions
from contacts.models import Contact
from workflows.api.workflows import EnrolmentSerializer
from workflows.models import Enrolment
from workflows.watches import exits


class RemoveEnrolment(APIView):
    """Take somebody out: the enrolment leaves as `manually_removed`, and messages still queued are cancelled.

    200 with the enrolment as it then stands. Whoever has come to an end already stays as they are, so the same request
    again changes nothing."""

    required_scope = "workflows:write"

    @extend_schema(request=None, responses=EnrolmentSerializer)
    def post(self, request: Request, public_id: UUID) -> Response:
        pk = _find(public_id).pk
        transactions.run(partial(exits.take_out, [pk], by=f"key {request.auth.name}"))
        return Response(EnrolmentSerializer(_find(public_id)).data)


def _find(public_id: UUID) -> Enrolment:
    people = Contact.objects.filter(pk=OuterRef("contact_id"))
    rows = Enrolment.objects.select_related("version").annotate(
        contact_public_id=Subquery(people.values("public_id")[:1])
    )
    enrolment = rows.filter(public_id=public_id).first()
    if enrolment is None:
        raise Http404
    return enrolment
