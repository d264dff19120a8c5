"""The rules of scores: what holds, its versions, and the editor of drafts."""

from scoring.pages.rulesets.admin import RulesetAdmin

__all__ = ["RulesetAdmin"]
