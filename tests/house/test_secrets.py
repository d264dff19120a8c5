"""How the house holds secrets: compared without telling how much of one was right, printed by nobody, and pages made
only of what was escaped."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from contacts.second_factor import Enrolment
from tests.config.test_checks import manage
from tests.house.test_regexes import FLOORS

ROOT = Path(settings.BASE_DIR)
COMPARED = re.compile(r"(?:^|_)(?:secrets?|signature|signed|digest|hmac|mac|proof|token|password|key_hash)$")
PRINTED = re.compile(r"(?:^|_)(?:secrets?|password|token|api_key|private_key|signing_key|credentials|pem)$")
# Who could learn something by the time that it takes is nobody: these compare what no stranger gives.
NO_STRANGERS = {
    "contacts/pages/people.py": "whether the hash of a password was changed",
    "contacts/seals.py": "links of the chain, which whoever can read the table knows",
    "workflows/builder/forms/controls/arms.py": "the name of a row of a form",
}
NO_SECRETS = {"Row", "Shown"}  # the name of a row of a form; whether something is a secret


def trees() -> Iterator[tuple[str, ast.Module]]:
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*.py")):
            if "migrations" not in path.parts:
                yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return name_of(node.func)
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def compared_openly(tree: ast.Module) -> list[str]:
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and any(isinstance(each, ast.Eq | ast.NotEq) for each in node.ops)
        and any(COMPARED.search(name_of(side)) for side in (node.left, *node.comparators))
        and not any(isinstance(side, ast.Constant) for side in (node.left, *node.comparators))
    ]


def printed(tree: ast.Module) -> list[str]:
    return [
        f"{node.name}.{each.target.id}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name not in NO_SECRETS
        if any("dataclass" in ast.unparse(each) for each in [*node.decorator_list, *node.bases])
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
        if PRINTED.search(each.target.id) and "repr=False" not in ast.unparse(each)
    ]


def test_secrets_and_signatures_are_compared_in_constant_time():
    assert compared_openly(ast.parse("if given == self.signature: pass")) == ["given == self.signature"]
    found = {path for path, tree in trees() if compared_openly(tree)}
    assert found == set(NO_STRANGERS)


def test_no_value_that_holds_a_secret_prints_it():
    assert printed(ast.parse("@dataclass\nclass Key:\n    secret: str")) == ["Key.secret"]
    assert [f"{path} {each}" for path, tree in trees() for each in printed(tree)] == []
    shown = repr(Enrolment("otpauth://x?secret=JBSWY3DP", "JBSW Y3DP"))
    assert "JBSW" not in shown


def test_markup_is_put_together_by_who_escapes():
    """Two places call something safe by themselves: the runbook, each piece of which it escaped, and what a template
    of ours made, which escapes."""
    called = {
        path
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and name_of(node) in {"mark_safe", "SafeString", "SafeText"}
    }
    assert called == {"analytics/pages/runbook.py", "workflows/pages/builder/numbers.py"}


def test_no_template_of_a_page_prints_a_value_unescaped():
    pages = [path for path in ROOT.rglob("*.html") if ".venv" not in path.parts and "var" not in path.parts]
    assert len(pages) > 50
    bad = [
        str(path.relative_to(ROOT))
        for path in pages
        if re.search(r"\|\s*safe\b|autoescape\s+off", path.read_text(encoding="utf-8"))
    ]
    assert bad == []


SHOWN = (
    "DEBUG", "SECURE_HSTS_SECONDS", "SESSION_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "CSRF_COOKIE_SECURE",
    "SESSION_COOKIE_SAMESITE", "ALLOWED_HOSTS", "SECRET_KEY_FALLBACKS",
)  # fmt: skip


@pytest.mark.parametrize(("behind", "believed"), [("true", "('HTTP_X_FORWARDED_PROTO', 'https')"), ("false", "None")])
def test_in_the_world_cookies_are_for_https_and_a_proxy_is_believed_only_where_there_is_one(behind, believed):
    asked = "; ".join(f"print(repr(settings.{name}))" for name in SHOWN)
    done = manage(
        "shell", "--no-imports", "-c",
        f"from django.conf import settings; {asked}; print(getattr(settings, 'SECURE_PROXY_SSL_HEADER', None))",
        PUBLIC_URL="https://bells.example.com",
        ALLOWED_HOSTS="bells.example.com",
        SECRET_KEY="Zx8-" * 16 + "unlike_any_other",
        SECRET_KEY_FALLBACKS="the-one-before",
        BEHIND_PROXY=behind,
        DEBUG="",
    )  # fmt: skip
    assert done.stdout.splitlines()[-9:] == [
        "False", "31536000", "True", "True", "True", "'Lax'", "['bells.example.com']", "['the-one-before']", believed,
    ]  # fmt: skip
