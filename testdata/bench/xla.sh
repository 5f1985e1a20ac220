#!/usr/bin/env bash
# A training step through mbuild, one written by hand over GoMLX, and one in JAX, by turns, on XLA's CPU backend with 2 threads.
# Usage: testdata/bench/xla.sh DIRECTORY [ROUNDS]. The directory keeps plugin and virtual environment. Prints, for each model, the
# smallest times of all rounds, and their ratios.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
test -x "$dir/jax/bin/python" || bash "$root/testdata/bench/install.sh" "$dir/jax"
plugin=$(bash "$root/.ci/pjrt-cpu.sh" "$dir/pjrt")
(cd "$root" && CGO_ENABLED=1 GOEXPERIMENT=simd go test -tags xla -c -o "$dir/learn.test" ./stdlib/learn)
# What a worker of XLA has in its environment, and JAX gets, too: malloc that keeps large blocks, and as many threads.
run=(env -u XLA_FLAGS PJRT_NPROC=2 NPROC=2 MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_TOP_PAD_=67108864)
for _ in $(seq "${2:-5}"); do
  (cd "$root/stdlib/learn" && "${run[@]}" MBUILD_TEST_BACKEND=xla:cpu MBUILD_PJRT_CPU="$plugin" "$dir/learn.test" -test.run xxx -test.bench Ratio -test.benchtime 2s)
  "${run[@]}" JAX_PLATFORMS=cpu "$dir/jax/bin/python" "$root/testdata/bench/jax_training.py" 2
done | awk '
  { name = $1; sub(/^BenchmarkRatio\//, "", name); sub(/-[0-9]+$/, "", name) }
  /^BenchmarkRatio/ { for (i = 3; i < NF; i++) if ($(i + 1) ~ /ms\/step$/) least(name, $(i + 1), $i) }
  $2 == "jax-ms/step" { least($1, $2, $3) }
  function least(n, what, v) { if (!((n, what) in t) || v + 0 < t[n, what]) t[n, what] = v + 0 }
  END {
    count = split("64-128-64-10 784-256-10 cnn encoder bert-tiny minilm", order, " ")
    for (i = 1; i <= count; i++) {
      n = order[i]
      m = t[n, "mbuild-ms/step"]; h = t[n, "hand-ms/step"]; j = t[n, "jax-ms/step"]
      if (m && h && j) printf "%-14s mbuild %.3f ms, by hand %.3f ms, JAX %.3f ms a step; mbuild / by hand %.2f, mbuild / JAX %.2f\n", n, m, h, j, m / h, m / j
    }
  }'
