"""The clock of a process, made to jump: a library loaded before all others answers for the C library's clock.

It adds what stands in a file to the time of day. Clocks that only count (CLOCK_MONOTONIC) are left alone, as they are
when an operator or a time server sets a machine's clock.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>

static long long shift(void) {
    long long seconds = 0;
    const char *path = getenv("CLOCK_SHIFT_FILE");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (file) {
        if (fscanf(file, "%lld", &seconds) != 1) seconds = 0;
        fclose(file);
    }
    return seconds;
}

int clock_gettime(clockid_t id, struct timespec *spec) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, spec);
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) spec->tv_sec += shift();
    return result;
}

int gettimeofday(struct timeval *restrict value, void *restrict zone) {
    static int (*real)(struct timeval *, void *);
    if (!real) real = dlsym(RTLD_NEXT, "gettimeofday");
    int result = real(value, zone);
    if (result == 0 && value) value->tv_sec += shift();
    return result;
}

time_t time(time_t *out) {
    struct timespec spec;
    clock_gettime(CLOCK_REALTIME, &spec);
    if (out) *out = spec.tv_sec;
    return spec.tv_sec;
}
"""


@dataclass(frozen=True, slots=True)
class ShiftedClock:
    """`variables` make a program start with this clock; `jump` then moves it."""

    file: Path
    library: Path

    @property
    def variables(self) -> dict[str, str]:
        """For the environment of the program."""
        return {"LD_PRELOAD": str(self.library), "CLOCK_SHIFT_FILE": str(self.file)}

    def jump(self, seconds: int) -> None:
        """Let the clock be so many seconds away from the real one."""
        draft = self.file.with_suffix(".draft")
        draft.write_text(str(seconds), encoding="ascii")
        draft.replace(self.file)


def make_clock(folder: Path) -> ShiftedClock | None:
    """Compile the library into a folder; None where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text(_SOURCE, encoding="ascii")
    done = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], capture_output=True, check=False
    )
    clock = ShiftedClock(folder / "shift", library)
    clock.jump(0)
    return clock if done.returncode == 0 else None
