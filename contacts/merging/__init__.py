"""Two profiles that turn out to be one person: merged, told, and parted again if that was wrong.

`identity.resolve` never merges; here it happens, at somebody's wish (the API, the admin) or where nothing can be wrong
(a visitor without a name says who they are)."""

from contacts.merging.merge import Unmergeable, absorb_anonymous, merge, unite
from contacts.merging.rows import remember, remembered
from contacts.merging.stragglers import rehome, rehome_recent
from contacts.merging.undoing import NotUndone, undo

__all__ = [
    "NotUndone",
    "Unmergeable",
    "absorb_anonymous",
    "merge",
    "rehome",
    "rehome_recent",
    "remember",
    "remembered",
    "undo",
    "unite",
]
