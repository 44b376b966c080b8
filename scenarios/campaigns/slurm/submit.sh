#!/usr/bin/env bash
# Runs a campaign as a job array of Slurm, and its merge after all shards went well.
#   submit.sh CAMPAIGN.ron SHARDS OUT        (COOLTWIN names the program, SBATCH_OPTIONS what the cluster wants besides)
# A shard is idempotent: it keeps its rows as they come and goes on from there, so a lost node costs nothing twice.
# OUT is seen by every node. Prints the numbers of the array and of the merge.
set -euo pipefail
if [ $# -ne 3 ]; then
    sed -n '2,5s/^# //p' "$0" >&2
    exit 2
fi
campaign=$(readlink -f "$1") shards=$2 out=$(readlink -m "$3")
here=$(cd "$(dirname "$0")" && pwd)
export COOLTWIN=${COOLTWIN:-cooltwin}
mkdir -p "$out"
read -ra options <<< "${SBATCH_OPTIONS:-}"
array=$(sbatch --parsable --requeue --array="1-$shards" --output="$out/shard-%a.log" --open-mode=append \
    "${options[@]}" "$here/shard.sh" "$campaign" "$shards" "$out")
# Without kill-on-invalid-dep the merge would wait for ever after a failed shard; with afterany it would run on a part.
merge=$(sbatch --parsable --dependency="afterok:$array" --kill-on-invalid-dep=yes --output="$out/merge.log" \
    "${options[@]}" "$here/merge.sh" "$shards" "$out")
echo "$array $merge"
