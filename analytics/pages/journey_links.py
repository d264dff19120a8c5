"""From a number to exactly the people, or messages, that it counts. A number without such a list has no link."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse


@dataclass(frozen=True)
class Links:
    """Of one journey, narrowed to what is shown. `version`: its number. `ranged`: some days alone are shown, and no
    list has days: then only what stands now has its list. `moved`: an edit plan moved people into or out of the
    version, so those who entered it are others than those who are in it."""

    workflow_id: int
    version: int | None = None
    ranged: bool = False
    moved: bool = False

    def here(self, step: str = "") -> str:
        return self._people(state="here", step=step)

    def entered(self) -> str:
        return "" if self.ranged or self.moved else self._people()

    def finished(self, state: str, reason: str = "") -> str:
        """Who completed it, left it early (for that reason), or failed in it."""
        return "" if self.ranged or self.moved else self._people(state=state, reason=reason)

    def refused(self) -> str:
        if self.ranged or self.version:
            return ""
        return _address("workflows_entryrefusal", workflow=self.workflow_id)

    def messages(self, step: str, *, state: str = "accepted", reason: str = "") -> str:
        """Those of a step. The list knows no versions, and no days of a range."""
        if self.ranged or self.version:
            return ""
        return _address("delivery_message", workflow=self.workflow_id, step=step, state=state, reason=reason)

    def _people(self, *, state: str = "", step: str = "", reason: str = "") -> str:
        version = str(self.version or "")
        return _address(
            "workflows_enrolment", workflow=self.workflow_id, version=version, state=state, step=step, reason=reason
        )


def _address(model: str, **asked: object) -> str:
    query = urlencode({name: value for name, value in asked.items() if value})
    return f"{reverse(f'admin:{model}_changelist')}?{query}"
