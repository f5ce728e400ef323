#!/usr/bin/env bash
# VNN-COMP calls: install_tool.sh v1
#
# Makes the environment .venv in the repository, as root or as any user, with Python 3.11 or later and the versions that
# the project is tested with. Where Python or its venv is missing, it asks apt-get for them. No GPU is needed.
set -euo pipefail
# shellcheck source=vnncomp_scripts/common.sh
source "$(dirname -- "$(realpath -- "$0")")/common.sh"
check_arguments 1 'v1' "$@"
venv=$root/.venv

# The first interpreter that is new enough and can make environments.
find_python() {
    local name
    for name in python3 python3.13 python3.12 python3.11; do
        if "$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    return 1
}

ask_apt() {
    local become=()
    if ((EUID != 0)); then become=(sudo -n); fi
    "${become[@]}" apt-get update -q || true
    "${become[@]}" apt-get install -y -q "$@"
}

if [[ ! -x $venv/bin/python ]]; then
    if ! base=$(find_python); then
        ask_apt python3-venv python3 || true
        find_python >/dev/null || ask_apt python3.12-venv || ask_apt python3.11-venv || true
        base=$(find_python) || { complain 'needs Python 3.11 or later with venv; install it first' && exit 1; }
    fi
    "$base" -P -m venv "$venv"
fi
"$venv/bin/python" -P -m pip install --disable-pip-version-check --constraint "$root/constraints.txt" --editable "$root"
"$venv/bin/python" -P -m verifier.cli.main --help >/dev/null
command -v pkill timeout awk nproc >/dev/null || ask_apt procps coreutils gawk
