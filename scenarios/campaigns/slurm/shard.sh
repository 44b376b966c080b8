#!/usr/bin/env bash
# One shard of a campaign, as a task of a job array: shard.sh CAMPAIGN SHARDS OUT.
set -uo pipefail
campaign=$1 shards=$2 out=$3
"$COOLTWIN" campaign "$campaign" --shard "$SLURM_ARRAY_TASK_ID/$shards" --jobs "${SLURM_CPUS_PER_TASK:-1}" \
    --out "$out/shard-$SLURM_ARRAY_TASK_ID" --resume
code=$?
# Slurm runs a task again after the loss of its node, not after a failure: that is asked for here, twice at most. Wrong
# usage and an invalid campaign fail again however often they run.
if [ "$code" -ne 0 ] && [ "$code" -ne 2 ] && [ "$code" -ne 3 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 2 ]; then
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
    sleep 30
fi
exit "$code"
