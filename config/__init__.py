"""The front desk: settings, urls, celery, health, start-up checks. Nobody imports it."""

import zoneinfo

# The machine's own time zone data may be years old and wins over the pinned `tzdata` package unless told not to.
zoneinfo.reset_tzpath(to=[])
