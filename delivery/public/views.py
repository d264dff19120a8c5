"""The pages behind the links in a mail."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from contacts import clock
from contacts.public_pages import guard, public_page
from delivery.public import forms, preferences, topics, unsubscribing, visits
from delivery.public.languages import Language, language
from delivery.public.preferences import AS_IT_IS, FREQUENCIES, Choice, Preferences

CHOOSE = "preferences"  # in the query of an unsubscribe link: to the preference centre


@csrf_exempt  # a mail program has no cookie to prove itself with; the token is the proof
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows a page and changes nothing, for scanners follow every link. POST, by its button or by a mail program
    (RFC 8058), does it whatever its body is, and is answered only when no request to the address can start any more.
    The answer is the same for a token that we never made. `undo=1` in the body takes back what this link did."""
    if request.method != "POST" and CHOOSE in request.GET:
        answer = HttpResponseRedirect(reverse("preferences", args=[token]))
        guard(answer)
        return answer
    read = _language_of(request, token)
    deed = ""
    if request.method == "POST":
        form = forms.fields(request)
        deed = "undone" if form.get("undo") == "1" else "done"
        if deed == "undone":
            evidence = forms.evidence(request, page="unsubscribe", language=read)
            unsubscribing.undo(token, evidence=evidence, now=clock.now())
        else:
            one_click = form.get("List-Unsubscribe") == "One-Click"
            unsubscribing.unsubscribe(token, source="one_click" if one_click else "page", now=clock.now())
    return public_page(request, "delivery/unsubscribe.html", {"language": read, "words": read.words, "deed": deed})


def _language_of(request: HttpRequest, token: str) -> Language:
    public_id = unsubscribing.message_named(token)
    sent = unsubscribing.sent_to(public_id) if public_id else None
    return _read_by(request, sent.locale if sent else "")


def _read_by(request: HttpRequest, locale: str) -> Language:
    return language(locale, request.headers.get("Accept-Language", ""))


@csrf_exempt  # the token is the proof, as above
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def preference_centre(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows what is chosen and changes nothing. POST saves what the form says (`form=preferences`, or `all_off`),
    and is answered only when no request that it forbids can start any more. A token that we never made, and one of
    somebody who is not here any more, get one and the same page."""
    if not visits.may_enter(request):
        return _said(request, "too_many", status=429)
    known = preferences.read(token)
    if known is None:
        return _said(request, "unknown")
    read = _read_by(request, known.locale)
    labels = _labels(known, read)
    status = ""
    form = forms.fields(request) if request.method == "POST" else None
    if form is not None and ("all_off" in form or form.get("form") == "preferences"):
        is_off = "all_off" in form
        wanted = Choice() if is_off else _choice(form)
        evidence = forms.evidence(request, page="preferences", language=read)
        known = preferences.save(token, wanted, evidence=evidence, labels=labels)
        if known is None:
            return _said(request, "unknown")
        status = read.words.switched_off if is_off else read.words.saved
    return public_page(request, "delivery/preferences.html", _shown(known, read, labels) | {"status": status})


def _said(request: HttpRequest, what: str, *, status: int = 200) -> HttpResponse:
    read = _read_by(request, "")
    page = public_page(
        request, "delivery/said.html", {"language": read, "words": read.words, "what": what}, status=status
    )
    if status == 429:
        page["Retry-After"] = str(visits.WINDOW)
    return page


def _choice(form: Any) -> Choice:
    return Choice(
        topics=frozenset(form.getlist("topic")),
        channels=frozenset(form.getlist("channel")),
        everything_else="everything_else" in form,
        frequency=form.get("frequency", AS_IT_IS),
    )


def _labels(known: Preferences, read: Language) -> dict[str, str]:
    """What the page calls topics, channels and everything else (the empty name)."""
    words = read.words
    return {
        **topics.names(known.topics, language=read.code),
        "": words.everything_else if known.topics else words.news_and_offers,
        "email": words.email,
        "sms": words.sms,
        "push": words.push,
    }


def _shown(known: Preferences, read: Language, labels: dict[str, str]) -> dict[str, Any]:
    choice, words = known.choice, read.words
    frequencies = [*FREQUENCIES]
    if choice.frequency == AS_IT_IS:
        frequencies.append(AS_IT_IS)
    before, _, after = words.preferences_for.partition("{address}")
    return {
        "language": read,
        "words": words,
        "before_address": before,
        "address": known.address,
        "after_address": after,
        "topics": [(name, labels[name], name in choice.topics) for name in known.topics],
        "everything_else": (labels[""], choice.everything_else),
        "channels": [(name, labels[name], name in choice.channels) for name in known.channels],
        "frequencies": [(name, getattr(words, name), name == choice.frequency) for name in frequencies],
        "is_blocked": known.is_blocked,
        "has_no_channel": not choice.channels and (bool(choice.topics) or choice.everything_else),
        "is_by_email": "email" in known.channels,
    }
