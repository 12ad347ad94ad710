#!/bin/sh
# Installs the servers and browsers that the tests start themselves, where they are missing and this user may.
#
#   sh tools/services.sh    Redis and Chromium, by Debian's packages or Homebrew
#
# Where it can't, the tests that need them are skipped and say so; in CI they fail.
set -u

say() { printf '==> %s\n' "$*"; }

has_redis() { command -v redis-server >/dev/null || command -v valkey-server >/dev/null; }
has_chromium() {
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        if command -v "$name" >/dev/null; then return 0; fi
    done
    [ -x "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" ]
}

missing=
has_redis || missing="redis-server"
has_chromium || missing="$missing chromium"
[ -n "$missing" ] || exit 0

if command -v apt-get >/dev/null; then
    as_root=
    if [ "$(id -u)" != 0 ]; then
        if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root="sudo -n"; else as_root=no; fi
    fi
    if [ "$as_root" != no ]; then
        say "installing $missing"
        export DEBIAN_FRONTEND=noninteractive
        $as_root apt-get update -qq &&
            for package in $missing; do
                $as_root apt-get install -y -qq --no-install-recommends "$package" >/dev/null ||
                    say "could not install $package"
            done
    fi
elif command -v brew >/dev/null; then
    case $missing in *redis*) brew install --quiet redis || say "could not install redis" ;; esac
    case $missing in *chromium*) brew install --quiet --cask google-chrome || say "could not install a browser" ;; esac
fi

has_redis || say "no Redis: the tests that need one are skipped; install redis-server to run them"
has_chromium || say "no Chromium: the tests that need a browser are skipped; install chromium to run them"
exit 0
