#!/usr/bin/env bash
# Puts the shards together when all of them are done: merge.sh SHARDS OUT. Every shard is named, so a missing one is
# refused. A campaign that fails is a result, and so ends this job like the command.
set -euo pipefail
shards=$1 out=$2
folders=()
for shard in $(seq "$shards"); do folders+=("$out/shard-$shard"); done
"$COOLTWIN" merge "${folders[@]}" --out "$out/merged"
