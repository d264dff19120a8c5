import json
from tests.workflows.test_random_journeys import *
from tests.workflows.test_random_journeys import _lists
pytestmark = pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kills", [0.0, KILLS])
def test_h9(kills):
    definition, trigger, deeds, play = perform(1578, kills)
    print(json.dumps(definition, indent=0)[:3500])
    for person, contact_id in enumerate(play.people):
        a, b = found(contact_id), expected(definition, trigger, deeds, person, contact_id)
        print("PERSON", person, a == b)
        if a != b:
            print(a); print(b)
            for d in deeds:
                if d.person == person: print(d)
            for r in JournalEntry.objects.filter(contact_id=contact_id).order_by("enrolment_id","seq"): print(r.enrolment_id, r.seq, r.step, r.outcome, r.port, r.detail, r.at)
            from django.db import connection
            with connection.cursor() as c:
                c.execute("select type, occurred_at, recorded_at from contact_events where contact_id=%s order by id", [contact_id]); print(*c.fetchall(), sep="\n")
