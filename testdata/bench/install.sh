#!/usr/bin/env bash
# Installs what the benchmarks against other programs need into a virtual environment: testdata/bench/install.sh DIRECTORY [torch].
# Needs python3 (3.11 or later) with venv and pip; 0.4 GB. With "torch" PyTorch, too, which does not start without its CUDA
# libraries, even on a CPU: 5.9 GB in all.
set -euo pipefail
packages=(jax==0.10.2 jaxlib==0.10.2 'numpy>=2,<3')
case ${2:-} in
  "") ;;
  torch) packages+=(torch==2.15.0) ;;
  *) echo "usage: install.sh DIRECTORY [torch], not \"$2\"" >&2; exit 2 ;;
esac
python3 -m venv "$1"
"$1/bin/pip" install -q --disable-pip-version-check "${packages[@]}"
