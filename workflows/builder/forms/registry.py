"""The controls there are."""

from __future__ import annotations

from workflows.builder.forms.control import Control
from workflows.builder.forms.controls.arms import Arms
from workflows.builder.forms.controls.attribute import Attribute
from workflows.builder.forms.controls.body import Body
from workflows.builder.forms.controls.choice import Choice
from workflows.builder.forms.controls.clock import Clock
from workflows.builder.forms.controls.condition import Condition
from workflows.builder.forms.controls.contact_fields import ContactFields
from workflows.builder.forms.controls.date_attribute import DateAttribute
from workflows.builder.forms.controls.duration import Duration
from workflows.builder.forms.controls.event import Event
from workflows.builder.forms.controls.headers import Headers
from workflows.builder.forms.controls.instant import Instant
from workflows.builder.forms.controls.journey import Journey
from workflows.builder.forms.controls.json import Json
from workflows.builder.forms.controls.list import List
from workflows.builder.forms.controls.message import Message
from workflows.builder.forms.controls.number import Number
from workflows.builder.forms.controls.offset import Offset
from workflows.builder.forms.controls.pairs import Pairs
from workflows.builder.forms.controls.period import Period
from workflows.builder.forms.controls.recurrence import Recurrence
from workflows.builder.forms.controls.score import Score
from workflows.builder.forms.controls.segment import Segment
from workflows.builder.forms.controls.stage import Stage
from workflows.builder.forms.controls.switch import Switch
from workflows.builder.forms.controls.tag import Tag
from workflows.builder.forms.controls.template import Template
from workflows.builder.forms.controls.text import Text
from workflows.builder.forms.controls.timezone import Timezone
from workflows.builder.forms.controls.topic import Topic
from workflows.builder.forms.controls.variants import Variants
from workflows.builder.forms.controls.words import Words

_PLAIN = (Text, Message, Number, Switch, Choice, Words, Json)
_TIMES = (Clock, Duration, Period, Offset, Instant, Timezone, Recurrence)
_THINGS = (Template, Topic, Event, Tag, List, Segment, Journey, Attribute, DateAttribute, Stage, Score)
_WHOLES = (Condition, Arms, Variants, Pairs, ContactFields, Headers, Body)

_CONTROLS: dict[str, Control] = {each.key: each() for each in (*_PLAIN, *_TIMES, *_THINGS, *_WHOLES)}


def control(key: str) -> Control:
    return _CONTROLS[key]


def keys() -> tuple[str, ...]:
    return tuple(_CONTROLS)
