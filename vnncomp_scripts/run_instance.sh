#!/usr/bin/env bash
# VNN-COMP calls: run_instance.sh v1 CATEGORY ONNX VNNLIB RESULTS_FILE TIMEOUT
#
# The results file's first line is unsat, sat, unknown, timeout or error, and for sat the counterexample follows. It says
# so before TIMEOUT seconds are over, when the competition may kill the script, and whatever becomes of the verifier.
# The status is 0 wherever there is a results file: any other counts as an error, whatever is in the file.
set -euo pipefail
# shellcheck source=vnncomp_scripts/common.sh
source "$(dirname -- "$(realpath -- "$0")")/common.sh"
check_arguments 6 'v1 CATEGORY ONNX VNNLIB RESULTS_FILE TIMEOUT' "$@"
network=$3 property=$4 results=$5 timeout=$6

# The verifier's own timeout leaves room for its start, and then for its end; the last resort is to kill it.
if ! read -r limit last < <(LC_ALL=C awk -v t="$timeout" 'BEGIN {
    t += 0; if (t <= 0) exit
    printf "%.3f %.3f\n", t - (t < 3 ? t / 2 : 1.5), t - (t < 3 ? t / 12 : 0.25)
}'); then
    complain "the timeout is a positive number of seconds; it was '$timeout'"
    exit 1
fi
# Half of the machine's memory is for what a search keeps.
memory=$(awk '/^MemTotal:/ {print int($2 / 2048)}' /proc/meminfo 2>/dev/null || echo 4000)

echo timeout >"$results"
PYTHONPATH=$root timeout --signal=KILL "$last" "$python" -P -X "$mark" -m verifier.cli.main verify --allow-empty \
    --result "$results" --timeout "$limit" --threads "$(nproc)" --memory "$memory" \
    -- "$network" "$property" </dev/null &
verifier=$!
trap 'kill -TERM "$verifier" 2>/dev/null || true' TERM INT # it writes what it knows, and ends
status=0
wait "$verifier" || status=$?
while kill -0 "$verifier" 2>/dev/null; do # a trapped signal ended the wait
    status=0
    wait "$verifier" || status=$?
done

case $status in
    0 | 1 | 3) ;;               # the verifier has written its verdict
    137 | 143) end_leftovers ;; # ended from outside: what it had written by then stands
    *) if [[ $(head -n 1 -- "$results") == timeout ]]; then echo error >"$results"; fi ;;
esac
