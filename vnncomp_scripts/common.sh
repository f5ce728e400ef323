# shellcheck shell=bash
# What VNN-COMP's three scripts share; they source it. None of them changes the folder: paths may be relative.

root=$(dirname -- "$(dirname -- "$(realpath -- "${BASH_SOURCE[0]}")")")
python=${VERIFIER_PYTHON:-$root/.venv/bin/python}
# Stands in the command line of what run_instance.sh starts, and of no other program's.
mark="verifier_vnncomp=$(cksum <<<"$root" | cut -d ' ' -f 1)"

complain() {
    echo "$(basename -- "$0"): $*" >&2
}

# Usage: check_arguments COUNT NAMES "$@"
check_arguments() {
    local count=$1 names=$2
    shift 2
    if [[ ${1-} != v1 ]]; then
        complain "the first argument is the version, v1; it was '${1-}'"
        exit 1
    fi
    if (($# != count)); then
        complain "takes $count arguments ($names), not $#"
        exit 1
    fi
}

# This repository's verifier, whatever modules lie in the current folder.
run_python() {
    PYTHONPATH=$root "$python" -P "$@"
}

# Ends what an instance before has left running; other programs, and verifiers elsewhere, go on.
end_leftovers() {
    pkill -KILL -f -- " -X $mark " || true
}
