#!/bin/sh
# Makes .venv hold what trivet needs; quick when nothing changed.
#
#   sh tools/bootstrap.sh run           to use trivet:  requirements/run.txt
#   sh tools/bootstrap.sh dev           to work on it:  requirements/dev.txt
#   sh tools/bootstrap.sh find-python   print the Python it would take: rank, version, path
#
# Needs a Python 3.11 or newer on the PATH, no root and no compiler. Where packages come from is the
# machine's own pip configuration; where they go is always .venv.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
venv=$root/.venv
cd "$root"

# What the caller's shell says about other environments must reach neither Python nor pip.
unset PYTHONPATH PYTHONHOME PYTHONWARNINGS PYTHONOPTIMIZE PYTHONINSPECT VIRTUAL_ENV __PYVENV_LAUNCHER__
unset PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON PIP_REQUIRE_VIRTUALENV PIP_REQUIRE_HASHES
unset PIP_CONSTRAINT PIP_BUILD_CONSTRAINT PIP_NO_DEPS PIP_DRY_RUN PIP_QUIET
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

say() { printf '==> %s\n' "$*"; }
fail() {
    printf 'bootstrap: %s\n' "$@" >&2
    exit 1
}

# Prints "rank version path" of the Python it runs in. Rank 1 can do everything, 2 lacks ensurepip or venv
# (Debian keeps them in a package of their own), 3 is one that few packages have wheels for, 9 is too old.
# The path is the base interpreter's: an activated environment is never built upon. Runs in Python 2 too.
probe='
import sys
rank = 9
if sys.version_info >= (3, 11):
    import platform, sysconfig
    rank = 1
    try:
        import ensurepip, venv
    except ImportError:
        rank = 2
    threads = sysconfig.get_config_var("Py_GIL_DISABLED")
    if sys.version_info >= (3, 15) or platform.python_implementation() != "CPython" or threads:
        rank = 3
path = getattr(sys, "_base_executable", None) or sys.executable
print("%d %d.%d %s" % (rank, sys.version_info[0], sys.version_info[1], path))
'

# Every Python on the PATH: what the user calls python3 first, then the others. A name may be there several
# times: a shim that exists but fails must not hide a sound one behind it.
candidates() {
    for name in python3 python python3.14 python3.13 python3.12 python3.11; do
        (
            IFS=:
            set -f
            for dir in $PATH; do
                case $dir in /*) if [ -f "$dir/$name" ] && [ -x "$dir/$name" ]; then printf '%s\n' "$dir/$name"; fi ;; esac
            done
        )
    done
}

find_python() {
    candidates | while IFS= read -r candidate; do
        "$candidate" -c "$probe" 2>/dev/null </dev/null || true
    done | grep -E '^[1-9] [0-9]+\.[0-9]+ /' | sort -s -n -k 1,1 | head -n 1
}

# An environment made elsewhere (its scripts name their interpreter by path), or whose Python is gone or has
# become another version, is of no use.
venv_is_sound() {
    [ "$(cat "$venv/.made-for" 2>/dev/null)" = "$root" ] &&
        "$venv/bin/python" -c 'import pip' >/dev/null 2>&1
}

venv_with_pip() {
    rm -rf "$venv"
    "$@" "$venv" >>"$log" 2>&1 && "$venv/bin/python" -m pip --version >>"$log" 2>&1
}

# Without ensurepip, any pip of any Python can put another into an environment that has none.
venv_by_another_pip() {
    rm -rf "$venv"
    "$1" -m venv --without-pip "$venv" >>"$log" 2>&1 || return 1
    site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))') || return 1
    { printf '%s\n' "$1" && candidates; } | while IFS= read -r candidate; do
        "$candidate" -m pip install --upgrade --no-deps --target "$site" pip >>"$log" 2>&1 </dev/null || continue
        if "$venv/bin/python" -m pip --version >>"$log" 2>&1; then break; fi
    done
    "$venv/bin/python" -m pip --version >>"$log" 2>&1
}

make_venv() {
    found=$(find_python)
    [ -n "$found" ] || fail "no Python on the PATH runs; trivet needs 3.11 or newer."
    IFS=' ' read -r rank version python <<EOF
$found
EOF
    [ "$rank" != 9 ] || fail "trivet needs Python 3.11 or newer; the PATH has only $version ($python)."
    if [ -e "$venv" ]; then say "the .venv that is here can't be used: making it anew"; fi
    say "creating .venv with Python $version ($python)"
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    if ! venv_with_pip "$python" -m venv; then
        say "this Python lacks venv or ensurepip: looking for another way"
        venv_with_pip "$python" -m virtualenv || venv_with_pip virtualenv --python "$python" ||
            venv_by_another_pip "$python" || cannot_make_venv
    fi
    printf '%s\n' "$root" >"$venv/.made-for"
}

cannot_make_venv() {
    rm -rf "$venv"
    tail -n 5 "$log" >&2
    if [ -f /etc/debian_version ]; then
        case $python in /usr/bin/*) fail "this Python can't make environments: sudo apt install python$version-venv" ;; esac
    fi
    fail "this Python can't make environments ($python): install its ensurepip, or virtualenv."
}

fingerprint() { cat requirements/*.txt pyproject.toml | cksum; }

is_ready() { [ "$(cat "$venv/.ready-$1" 2>/dev/null)" = "$(fingerprint)" ]; }

pip_install() {
    "$venv/bin/python" -m pip install "$@" ||
        fail "pip could not install the above." "Its configuration here: '$venv/bin/python' -m pip config list"
}

bring_up_to_date() {
    venv_is_sound || make_venv
    # Whoever works on trivet has what using it takes.
    if is_ready dev || is_ready "$1"; then return; fi
    say "installing requirements/$1.txt"
    pip_install -r "requirements/$1.txt" -r requirements/build.txt
    say "installing trivet from this checkout"
    pip_install --no-deps --no-build-isolation --editable .
    [ -x "$venv/bin/trivet" ] || fail "pip did not install into .venv: see '$venv/bin/python' -m pip config list"
    fingerprint >"$venv/.ready-$1"
    say "ready: .venv/bin/trivet"
}

case ${1-} in
run | dev) bring_up_to_date "$1" ;;
find-python) find_python ;;
*) fail "say what for: run, dev or find-python." ;;
esac
