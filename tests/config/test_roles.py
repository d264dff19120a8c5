"""The roles as they are described, made in the database, and told in the guide."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command

from config import roles
from contacts import access

pytestmark = pytest.mark.django_db
ROOT = Path(settings.BASE_DIR)
GUIDE = (ROOT / "docs" / "guides" / "roles.md").read_text(encoding="utf-8")


def held_by(group: Group) -> set[str]:
    return {f"{app}.{name}" for app, name in group.permissions.values_list("content_type__app_label", "codename")}


def every_permission() -> set[str]:
    return {f"{app}.{name}" for app, name in Permission.objects.values_list("content_type__app_label", "codename")}


def asked_by_doors() -> dict[str, str]:
    """permission -> where a door asks for it, or a page."""
    found = {}
    for app in roles.OURS:
        for path in (ROOT / app).rglob("*.py"):
            if "migrations" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if (
                    isinstance(node, ast.Constant)
                    and isinstance(node.value, str)
                    and re.fullmatch(rf"({'|'.join(roles.OURS)})\.[a-z]+_[a-z_]+", node.value)
                ):
                    found[node.value] = f"{path.relative_to(ROOT)}:{node.lineno}"
    return found


def test_every_permission_of_a_role_and_of_a_scope_exists():
    named = set().union(*(roles.permissions(role) for role in roles.ROLES), *roles.SCOPES.values())
    assert named - every_permission() == set()


def test_what_doors_and_pages_ask_for_is_held_by_the_admin_at_least():
    known = every_permission()
    asked = {name: where for name, where in asked_by_doors().items() if name in known}
    assert len(asked) > 30
    lacking = {name: where for name, where in asked.items() if name not in roles.permissions(roles.named("Admin"))}
    assert lacking == {}


def test_every_scope_of_a_key_is_described_but_those_that_open_no_door():
    assert set(access.SCOPES) - set(roles.SCOPES) == {"admin", "events:write", "workflows:read"}


def test_migrating_makes_the_groups_and_again_changes_nothing():
    Group.objects.all().delete()
    call_command("migrate", interactive=False, verbosity=0)
    assert {group.name: held_by(group) for group in Group.objects.all()} == {
        role.name: roles.permissions(role) for role in roles.ROLES
    }
    before = dict(Group.objects.values_list("name", "pk"))
    roles.make()
    assert dict(Group.objects.values_list("name", "pk")) == before


def test_a_role_that_was_changed_by_hand_is_set_right_and_other_groups_are_left_alone():
    roles.make()
    own = Group.objects.create(name="Weekend team")
    own.permissions.set(Permission.objects.filter(codename="view_workflow"))
    analyst = Group.objects.get(name="Analyst")
    analyst.permissions.set(Permission.objects.filter(codename__in=["publish_workflow", "view_workflow"]))
    roles.make()
    assert held_by(analyst) == roles.permissions(roles.named("Analyst"))
    assert held_by(own) == {"workflows.view_workflow"}


def test_permissions_that_are_not_there_yet_are_passed_over():
    Permission.objects.filter(codename="see_personal_data").delete()
    roles.make()
    lead = held_by(Group.objects.get(name="Marketing lead"))
    assert lead == roles.permissions(roles.named("Marketing lead")) - {"contacts.see_personal_data"}


def test_an_analyst_changes_nothing_of_the_house_and_sees_nobodys_address():
    may = roles.permissions(roles.named("Analyst"))
    assert {name for name in may if ".view_" not in name} == {"analytics.add_reportsubscription"}
    assert "contacts.see_personal_data" not in may


def test_delivery_operations_writes_no_content():
    may = roles.permissions(roles.named("Delivery operations"))
    content = ("workflow", "template", "segment", "list", "ruleset")
    assert not {name for name in may for thing in content if re.search(rf"_{thing}$", name)}


def test_the_apps_whose_permissions_are_described_are_those_of_the_floors():
    assert set(roles.OURS) == {app.label for app in apps.get_app_configs() if (ROOT / app.label).is_dir()} - {"config"}


def test_the_guide_tells_of_every_role_in_its_own_words():
    for role in roles.ROLES:
        assert f"| {role.name} | {role.can[0].upper()}{role.can[1:]} |" in GUIDE


@pytest.mark.parametrize("line", [line for line in GUIDE.splitlines() if line.startswith("| ") and "`" in line])
def test_the_guides_table_of_deeds_says_who_holds_the_permission(line):
    cells = [cell.strip() for cell in line.strip("| ").split("|")]
    permission = re.fullmatch(r"`(.+)`", cells[1])
    assert permission is not None
    holding = [role.name for role in roles.ROLES if permission[1] in roles.permissions(role)]
    assert cells[2:] == ["yes" if role.name in holding else "" for role in roles.ROLES]
