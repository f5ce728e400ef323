#!/usr/bin/env bash
# VNN-COMP calls: prepare_instance.sh v1 CATEGORY ONNX VNNLIB
#
# Ends what is left of an instance before and has the libraries in the system's cache; it does not look at the instance.
# A status other than 0 would cost the whole category: it is kept for an environment that is not there.
set -euo pipefail
# shellcheck source=vnncomp_scripts/common.sh
source "$(dirname -- "$(realpath -- "$0")")/common.sh"
check_arguments 4 'v1 CATEGORY ONNX VNNLIB' "$@"

end_leftovers
if ! run_python -c 'import highspy, onnxruntime, scipy.sparse, verifier.methods, verifier.readers.onnx'; then
    complain "$python cannot load verifier; run install_tool.sh v1 first"
    exit 1
fi
