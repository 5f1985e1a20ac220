#!/usr/bin/env bash
# Many actions, side by side: mbuild against ninja and make on the same work (testdata/bench/layered), in one run.
# Usage: testdata/bench/many.sh DIR [N...]. Needs ninja and make, and GNU time. Prints a line a measurement: the smallest and the
# median of its repetitions in milliseconds, and the largest peak of memory.
set -euo pipefail
dir=$1
shift
cd "$(dirname "$0")/../.."
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
GOEXPERIMENT=simd CGO_ENABLED=0 go build -o "$dir/mbuild" ./cmd/mbuild
go build -o "$dir/layered" ./testdata/bench/layered
export MBUILD_CACHE=$dir/store

# measure LABEL TIMES BEFORE COMMAND...: BEFORE is shell code that runs before each repetition and is not measured.
measure() {
  local label=$1 times=$2 before=$3 i from to
  shift 3
  : >"$dir/ms"
  : >"$dir/kb"
  for ((i = 1; i <= times; i++)); do
    eval "$before"
    from=$(date +%s%N)
    /usr/bin/time -a -o "$dir/kb" -f %M "$@" >"$dir/out" 2>&1 || { cat "$dir/out"; exit 1; }
    to=$(date +%s%N)
    echo $(((to - from) / 1000)) >>"$dir/ms"
  done
  sort -n "$dir/ms" | awk -v label="$label" -v kb="$(sort -n "$dir/kb" | tail -1)" -v last="$(tail -1 "$dir/out" | cut -c1-60)" \
    '{v[NR] = $1 / 1000} END {printf "%-34s min %9.1f ms  median %9.1f ms  peak %7.1f MB  %s\n", label, v[1], v[int((NR + 1) / 2)], kb / 1024, last}'
}

for n in "${@:-1000}"; do
  m=$dir/mbuild$n k=$dir/ninja$n g=$dir/make$n
  "$dir/layered" -n "$n" -for mbuild "$m"
  "$dir/layered" -n "$n" -for ninja "$k"
  "$dir/layered" -n "$n" -for make "$g"
  few=3
  ((n < 100000)) || few=2
  fresh='rm -rf "$MBUILD_CACHE" "$m/.mbuild"'
  measure "$n first plan mbuild" $few "$fresh" "$dir/mbuild" -C "$m" plan
  measure "$n cold mbuild, spec known" $few 'rm -rf "$MBUILD_CACHE"' "$dir/mbuild" -C "$m" apply -auto-approve
  measure "$n cold mbuild" $few "$fresh" "$dir/mbuild" -C "$m" apply -auto-approve
  measure "$n cold ninja" 1 : ninja -C "$k"
  ((n > 10000)) || measure "$n cold make" 1 : make -j2 -C "$g"
  measure "$n no-op plan mbuild" 9 : "$dir/mbuild" -C "$m" plan
  measure "$n no-op apply mbuild" 9 : "$dir/mbuild" -C "$m" apply -auto-approve
  measure "$n no-op ninja" 9 : ninja -C "$k"
  ((n > 10000)) || measure "$n no-op make" 9 : make -j2 -C "$g"
  measure "$n one source, all above mbuild" 5 'echo "$RANDOM$RANDOM source" >"$m/src/s0"' "$dir/mbuild" -C "$m" apply -auto-approve
  measure "$n one source, all above ninja" 5 'echo "$RANDOM$RANDOM source" >"$k/src/s0"' ninja -C "$k"
  ((n > 10000)) || measure "$n one source, all above make" 5 'echo "$RANDOM$RANDOM source" >"$g/src/s0"' make -j2 -C "$g"
  echo "source" >"$m/src/s0"
  "$dir/mbuild" -C "$m" apply -auto-approve >/dev/null
  measure "$n one source, early cutoff mbuild" 5 'echo "source $RANDOM$RANDOM" >"$m/src/s0"' "$dir/mbuild" -C "$m" apply -auto-approve
  measure "$n why mbuild" 5 : "$dir/mbuild" -C "$m" why 'step.template.l9["a7"]'
done
measure "version mbuild" 15 : "$dir/mbuild" version

# Commands: a fork and exec each for both, by turns.
n=2000
m=$dir/exec$n k=$dir/ninja$n
"$dir/layered" -n "$n" -for mbuild -exec "$m"
"$dir/layered" -n "$n" -for ninja "$k"
for _ in 1 2 3 4 5 6 7; do
  measure "$n cold step exec mbuild" 1 'rm -rf "$MBUILD_CACHE"; "$dir/mbuild" -C "$m" plan >/dev/null' "$dir/mbuild" -C "$m" apply -auto-approve
  measure "$n cold ninja" 1 'rm -rf "$k/out"; rm -f "$k/.ninja_log"' ninja -C "$k"
done
