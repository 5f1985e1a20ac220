#!/usr/bin/env bash
# Installs what the benchmarks against other programs need into a virtual environment: testdata/bench/install.sh DIRECTORY.
# Needs python3 (3.11 or later) with venv and pip; 0.4 GB.
set -euo pipefail
python3 -m venv "$1"
"$1/bin/pip" install -q --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2 'numpy>=2,<3'
