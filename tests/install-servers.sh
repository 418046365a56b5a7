#!/bin/sh
# The tests start a real PostgreSQL, and nginx before two processes. Where they are missing and this is Debian or Ubuntu
# with the right to install, install them (neither is started here); anywhere else say what to do. A missing server is an
# error, never a skip.
set -eu
there() {
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null 2>&1 || [ -n "${POSTGRES_BIN:-}" ]
}
proxy() {
    [ -x /usr/sbin/nginx ] || command -v nginx >/dev/null 2>&1
}
if there && proxy; then
    exit 0
fi
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    export DEBIAN_FRONTEND=noninteractive
    if [ ! -e /usr/sbin/policy-rc.d ]; then # asked by packages whether they may start what they install
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod +x /usr/sbin/policy-rc.d
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends postgresql nginx-light >/dev/null
    exit 0
fi
echo "The tests start PostgreSQL and nginx. Install both (Debian: apt-get install postgresql nginx-light), then run" >&2
echo "make test again; POSTGRES_BIN may name the folder that has initdb." >&2
exit 1
