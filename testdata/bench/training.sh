#!/usr/bin/env bash
# The whole table of training in docs/benchmarks.md: steps on XLA and on the Go backend beside GoMLX by hand, JAX and, where it is
# installed, PyTorch (see xla.sh), what features cost in time and memory on both, and what a segment costs beside its epoch.
# Usage: testdata/bench/training.sh DIRECTORY [ROUNDS]. The directory keeps plugin, virtual environment and programs.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
for backend in xla:cpu go; do
  echo "Steps on $backend"
  bash "$root/testdata/bench/xla.sh" "$1" "${2:-3}" "" "$backend"
done
dir=$(cd "$1" && pwd)
plugin=$(bash "$root/.ci/pjrt-cpu.sh" "$dir/pjrt")
environment=(env -u XLA_FLAGS PJRT_NPROC=2 NPROC=2 MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_TOP_PAD_=67108864 GLIBC_TUNABLES=glibc.malloc.hugetlb=1)
cd "$root/stdlib/learn"
echo "Features on the Go backend"
"$dir/learn.test" -test.run xxx -test.bench Features -test.benchtime 3x | grep MB
echo "Features on XLA, each in a process of its own"
for f in plain accumulate=2 accumulate=8 clip_norm clip_value ema checkpoint=1 checkpoint=3 bfloat16 float16 frozen_half; do
  "${environment[@]}" MBUILD_TEST_BACKEND=xla:cpu MBUILD_PJRT_CPU="$plugin" "$dir/learn.test" -test.run xxx -test.bench "Features/^$f\$" -test.benchtime 3x | grep MB
done
echo "A segment, and the start of a worker"
cd "$root"
CGO_ENABLED=1 GOEXPERIMENT=simd go build -tags xla -o "$dir/mbuild" ./cmd/mbuild
for model in large mlp cnn; do
  go run ./testdata/bench/segment -mbuild "$dir/mbuild" -backend "pjrt:$plugin" -rows 2048 -epochs 5 -rounds "${2:-3}" -model "$model"
done
