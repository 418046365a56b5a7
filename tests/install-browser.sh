#!/bin/sh
# The browser tests need Chromium and fonts that know Vietnamese. Where they are missing and this is Debian or Ubuntu
# with the right to install, install them; anywhere else say what to do. A missing browser is an error, never a skip.
set -eu
if [ -n "${CHROMIUM:-}" ] || command -v chromium >/dev/null 2>&1; then
    exit 0
fi
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends chromium fonts-noto-core >/dev/null
    exit 0
fi
echo "The tests drive a real browser. Install Chromium (Debian: apt-get install chromium), then run make test again." >&2
exit 1
