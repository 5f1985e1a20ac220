#!/usr/bin/env bash
# Fetches the PJRT plugin that pjrt-cpu.lock names into a directory, checks its hash, and prints the path of the library.
# Usage: .ci/pjrt-cpu.sh DIRECTORY. Needs python3 with pip. The library has 200 MB and is never committed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
so=$dir/pjrt_c_api_cpu_plugin.so
sum=ad1309ac822b1b24d51b7f9947c7c9fa9ef5d67f390584cbc3d1fa2428fed9c2
if ! echo "$sum  $so" | sha256sum -c --status 2>/dev/null; then
  tmp=$(mktemp -d "$dir/.fetch.XXXXXX")
  trap 'rm -rf "$tmp"' EXIT
  python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes -r "$here/pjrt-cpu.lock" -d "$tmp" >&2
  python3 -m zipfile -e "$tmp"/*.whl "$tmp/wheel"
  found=$(find "$tmp/wheel" -name 'pjrt_c_api_cpu_plugin.so')
  echo "$sum  $found" | sha256sum -c --status || { echo "the library in the wheel has another hash than $sum" >&2; exit 1; }
  mv "$found" "$so"
fi
echo "$so"
