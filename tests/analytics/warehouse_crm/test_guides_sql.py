"""What bring-your-crms-history.md and business-intelligence.md ask in SQL is answered by what the guide brought in."""

import pytest

from tests.docs.blocks import DOCS, blocks_of

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600), pytest.mark.warehouse]
PAGES = (DOCS / "guides" / "bring-your-crms-history.md", DOCS / "operations" / "business-intelligence.md")
FILLED_IN = {"{{since}}": "DATE '2000-01-01'", "$__timeFilter(day::timestamptz)": "day IS NOT NULL"}  # by the tools
QUESTIONS = [
    question
    for page in PAGES
    for block in blocks_of(page)
    if block.language == "sql"
    for question in block.body.split(";")
    if question.strip()
]


@pytest.mark.parametrize("question", QUESTIONS, ids=range(len(QUESTIONS)))
def test_a_question_of_the_guides_is_answered(brought, ask, question):
    for variable, value in FILLED_IN.items():
        question = question.replace(variable, value)
    rows = ask(question.replace("%", "%%"))
    assert rows or "reporting." in question
