"""The front desk: settings, urls, celery, health, start-up checks. Nobody imports it."""

import gc
import zoneinfo

from contacts.garbage import THRESHOLDS

# The machine's own time zone data may be years old and wins over the pinned `tzdata` package unless told not to.
zoneinfo.reset_tzpath(to=[])
# Whatever runs here loads two thousand modules first, none of which is garbage: a fifth of the start went into looking.
gc.set_threshold(*THRESHOLDS)
