"""What a run ran on."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any


def describe(**versions: str) -> dict[str, Any]:
    """What the figures were taken on; no names or addresses."""
    model = platform.processor() or platform.machine()
    memory = 0.0
    cpuinfo, meminfo = Path("/proc/cpuinfo"), Path("/proc/meminfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    if meminfo.exists():
        memory = int(meminfo.read_text().split()[1]) / 1024 / 1024
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
        "load_before": round(os.getloadavg()[0], 2),
        **versions,
    }
