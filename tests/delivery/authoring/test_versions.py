"""From what somebody wrote to what is rendered: sources, layouts, partials and languages, when a template is saved."""

from __future__ import annotations

import pytest

from contacts import clock
from delivery.authoring import templates
from delivery.authoring.templates import BadTemplate
from delivery.models import Template, TemplateVersion
from tests.delivery import making

pytestmark = pytest.mark.django_db

LAYOUT = "<html><head><style>.hi{color:red}</style></head><body><i>top</i>{{{body}}}{{> foot}}</body></html>"


def save(slug: str = "welcome", **words) -> TemplateVersion:
    version_id = templates.save_version(slug=slug, name=slug, now=clock.now(), **words)
    return TemplateVersion.objects.get(pk=version_id)


def faults(slug: str = "welcome", **words) -> list[tuple[tuple[object, ...], str]]:
    with pytest.raises(BadTemplate) as refused:
        save(slug, **words)
    return [(fault.loc, fault.code) for fault in refused.value.faults]


@pytest.fixture
def frame() -> None:
    save("foot", kind="partial", html="<small>{{brand_name}}</small>", text="-- {{brand_name}}")
    save("frame", kind="layout", html=LAYOUT)


def html(body: str, layout: str | None = None) -> dict[str, object]:
    return {"kind": "html", "body": body, **({"layout": layout} if layout else {})}


def test_html_stands_as_it_was_written_and_a_source_has_its_css_inlined():
    styled = "<style>p{color:red}</style><p>x</p>"
    assert save(html=styled).html == styled and save(html=styled).source == {}
    made = save(source=html(styled))
    assert 'style="color: red;"' in made.html and made.source["body"] == styled


def test_mjml_and_blocks_become_html():
    column = "<mj-column><mj-text>{{first_name}}</mj-text></mj-column>"
    made = save(source={"kind": "mjml", "body": f"<mjml><mj-body><mj-section>{column}</mj-section></mj-body></mjml>"})
    assert "{{first_name}}</div>" in made.html and made.source["kind"] == "mjml"
    blocks = [{"type": "heading", "text": "Welcome, {{first_name}}"}, {"type": "footer"}]
    made = save(source={"kind": "blocks", "body": blocks})
    assert "Welcome, {{first_name}}" in made.html and made.source["body"] == blocks


def test_a_layout_and_its_partials_are_filled_in_and_remembered(frame):
    made = save(source=html('<p class="hi">Hi</p>', "frame"), text="Hi\n{{> foot}}")
    assert made.html.index("top") < made.html.index("Hi") < made.html.index("{{brand_name}}")
    assert 'style="color: red;"' in made.html and "{{>" not in made.html
    assert made.text == "Hi\n-- {{brand_name}}"
    assert made.source["uses"] == {"foot": 1, "frame": 1}


def test_a_document_gives_its_body_and_its_styles_to_the_layout(frame):
    made = save(source=html("<html><head><style>b{color:blue}</style></head><body><b>Hi</b></body></html>", "frame"))
    assert made.html.count("<body") == 1 and '<b style="color: blue;">Hi</b>' in made.html


def test_a_partial_in_plain_html_is_filled_in_too(frame):
    made = save(html="<p>x</p>{{> foot}}")
    assert made.html == "<p>x</p><small>{{brand_name}}</small>" and made.source["body"] == "<p>x</p>{{> foot}}"


def test_a_new_version_of_a_layout_changes_no_message_until_it_is_made_anew(frame):
    made = save(source=html("<p>Hi</p>", "frame"), subject="{{> foot}}")
    other = save("other", html="<p>none</p>")
    save("foot", html="<b>new</b>", text="new")
    assert templates.outdated("foot") == ["frame", "welcome"] and templates.outdated("frame") == []
    made.refresh_from_db()
    assert "new" not in made.html
    saved = templates.refresh(["frame", "welcome", "other"], now=clock.now())
    fresh = TemplateVersion.objects.get(pk=saved["welcome"])
    assert "<b>new</b>" in fresh.html and fresh.subject == "new" and fresh.source["uses"]["foot"] == 2
    assert saved["other"] == other.pk and templates.outdated("foot") == []


def test_what_cannot_be_made_anew_leaves_everything_as_it_was(frame):
    save(source=html("<p>Hi</p>", "frame"))
    save("b", html="{{> foot}}")
    save("frame", html="<p>{{{body}}}</p>")
    Template.objects.filter(slug="foot").update(live_version=None)
    with pytest.raises(BadTemplate) as refused:
        templates.refresh(["b", "welcome"], now=clock.now())
    assert [fault.loc[0] for fault in refused.value.faults] == ["b"]
    assert TemplateVersion.objects.filter(template__slug="welcome").count() == 1


def test_a_circle_is_refused_with_its_path():
    save("a", kind="partial", html="a")
    save("b", kind="partial", html="{{> a}}")
    with pytest.raises(BadTemplate, match="a → b → a"):
        save("a", html="{{> b}}")
    with pytest.raises(BadTemplate, match="c → c"):
        save("c", kind="partial", html="{{> c}}")


@pytest.mark.parametrize(
    ("words", "place", "code"),
    [
        ({"source": html("x", "nowhere")}, ("source", "layout"), "no_layout"),
        ({"source": html("{{> nowhere}}")}, ("source", "body"), "no_partial"),
        ({"subject": "{{> nowhere}}"}, ("subject",), "no_partial"),
        ({"source": {"kind": "mjml", "body": "<mjml>"}}, ("source", "body"), "mjml"),
        ({"source": {"kind": "mjml", "body": "<mjml></mjml>", "layout": "frame"}}, ("source", "layout"),
         "layout_of_another_kind"),
        ({"source": {"kind": "word", "body": ""}}, ("source", "kind"), "choice"),
        ({"source": {"kind": "html", "body": ["x"]}}, ("source", "body"), "type"),
        ({"source": {"kind": "blocks", "body": "x"}}, ("source", "body"), "type"),
        ({"source": {"kind": "html", "body": "a\x00"}}, ("source", "body"), "control_character"),
        ({"source": {"kind": "html", "body": "", "frame": "x"}}, ("source", "frame"), "unknown_key"),
        ({"source": html("{{#a}}")}, ("html",), "mustache"),
        ({"locales": {"not a tag": {}}}, ("locales", "not a tag"), "locale"),
        ({"locales": {"de": {}, "DE": {}}}, ("locales", "DE"), "locale"),
        ({"locales": {"de": {"html": 1}}}, ("locales", "de", "html"), "type"),
        ({"locales": {"de": {"body": "x"}}}, ("locales", "de", "body"), "unknown_key"),
        ({"locales": {"de": {"subject": "{{#a}}"}}}, ("locales", "de", "subject"), "mustache"),
        ({"locales": {"de": {"source": {"kind": "mjml", "body": "x"}}}}, ("locales", "de", "source", "body"), "mjml"),
        ({"options": {"colour": 1}}, ("options", "colour"), "unknown_key"),
        ({"options": {"allow_personal": ["\x00"]}}, ("options", "allow_personal"), "type"),
        ({"channel": "sms", "source": html("x")}, ("source",), "channel"),
        ({"channel": "fax"}, ("channel",), "choice"),
        ({"kind": "layout", "html": "<p>no slot</p>"}, ("html",), "no_slot"),
        ({"html": '<div style="display:none"><a href="{{unsubscribe_url}}">x</a></div>'}, ("html",), "hidden_link"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(frame, words, place, code):
    assert faults(**words) == [(place, code)]
    assert not Template.objects.filter(slug="welcome").exists()


def test_each_of_several_faults_is_named():
    source = {"kind": "blocks", "body": [{"type": "heading"}, {"type": "nothing"}]}
    assert [place[:3] for place, _ in faults(source=source)] == [("source", "body", 0), ("source", "body", 1)]


def test_a_template_never_changes_its_kind(frame):
    assert faults("foot", kind="message", html="x") == [(("kind",), "kind")]


def test_layouts_and_partials_are_nothing_to_send(frame):
    save(html="x")
    assert set(templates.live_version_ids(["foot", "frame", "welcome"])) == {"welcome"}


def test_the_same_words_make_no_version_and_another_language_does(frame):
    words = {"subject": "Hi", "source": html("<p>x</p>", "frame"), "locales": {"de": {"subject": "Hallo"}}}
    assert save(**words).pk == save(**words).pk
    assert save(**words | {"locales": {"de": {"subject": "Servus"}}}).number == 2
    assert save(**words | {"options": {"utm": False}}).number == 3


def test_what_a_language_lacks_is_the_default_ones():
    made = save(
        subject="Hi", preheader="Now", html="<p>en</p>", text="en", locales={"DE_at": {"html": "<p>de</p>"}, "fr": {}}
    )
    assert {part: made.locales["de-AT"][part] for part in templates.PARTS} == {
        "subject": "Hi", "preheader": "Now", "html": "<p>de</p>", "text": "",
    }  # fmt: skip
    assert made.locales["fr"]["text"] == "en"


def test_a_layout_speaks_the_language_of_the_message():
    save("foot", kind="partial", html="<i>bye</i>", locales={"de": {"html": "<i>tschüss</i>"}})
    made = save(html="x{{> foot}}", locales={"de-AT": {"html": "y{{> foot}}"}, "fr": {"html": "z{{> foot}}"}})
    assert "bye" in made.html and "tschüss" in made.locales["de-AT"]["html"] and "bye" in made.locales["fr"]["html"]


@pytest.mark.parametrize(("locale", "subject"), [("de-CH", "Hallo"), ("fr", "Hi"), ("", "Hi"), ("zh-TW", "嗨")])
def test_a_contact_gets_their_language_and_it_is_written_down(locale, subject):
    version = save(subject="Hi", html="<p>x</p>", locales={"de": {"subject": "Hallo"}, "zh-Hant": {"subject": "嗨"}})
    who = making.contact(locale=locale)
    message = making.message(who.pk, version_id=version.pk)
    making.deliver()
    assert making.mails(message)[0].subject == subject
    evidence = [row.evidence for row in making.rows(message)]
    assert evidence[-1].get("language", "") == {"Hallo": "de", "嗨": "zh-Hant"}.get(subject, "")
