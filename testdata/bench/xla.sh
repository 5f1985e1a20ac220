#!/usr/bin/env bash
# A training step through mbuild, one written by hand over GoMLX, one in JAX and, where it is installed, one in PyTorch, by turns, with
# 2 threads; the first two on the backend that is named, XLA's for the CPU if none is.
# Usage: testdata/bench/xla.sh DIRECTORY [ROUNDS [MODEL [xla:cpu|go]]]. The directory keeps plugin and virtual environment (jax); for
# PyTorch run testdata/bench/install.sh DIRECTORY/jax torch. Prints, for each model whose name contains MODEL, the smallest times of all
# rounds, and their ratios.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
python=$dir/jax/bin/python
test -x "$python" || bash "$root/testdata/bench/install.sh" "$dir/jax"
plugin=$(bash "$root/.ci/pjrt-cpu.sh" "$dir/pjrt")
(cd "$root" && CGO_ENABLED=1 GOEXPERIMENT=simd go test -tags xla -c -o "$dir/learn.test" ./stdlib/learn)
# What a worker of XLA has in its environment, and the others get, too: malloc that keeps large blocks, and as many threads.
run=(env -u XLA_FLAGS PJRT_NPROC=2 NPROC=2 MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_TOP_PAD_=67108864 GLIBC_TUNABLES=glibc.malloc.hugetlb=1)
others=(jax)
"$python" -c 'import torch' 2>"$dir/torch.log" && others+=(torch) || echo "without PyTorch: $(tail -1 "$dir/torch.log")" >&2
for _ in $(seq "${2:-5}"); do
  for model in 64-128-64-10 784-256-10 cnn encoder bert-tiny minilm; do
    if [[ $model != *"${3:-}"* ]]; then continue; fi
    of=("${run[@]}")
    if [ $model = minilm ]; then of+=(MALLOC_ARENA_MAX=1); fi # for steps of more than 8 GFLOP, see mlx.LargeStep
    (cd "$root/stdlib/learn" && "${of[@]}" MBUILD_TEST_BACKEND="${4:-xla:cpu}" MBUILD_PJRT_CPU="$plugin" "$dir/learn.test" -test.run xxx -test.bench "Ratio/^$model\$" -test.benchtime 4s)
    for o in "${others[@]}"; do
      "${of[@]}" JAX_PLATFORMS=cpu "$python" -B "$root/testdata/bench/${o}_training.py" 5 $model
    done
  done
done | awk -f "$root/testdata/bench/steps.awk"
