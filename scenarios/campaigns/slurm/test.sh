#!/usr/bin/env bash
# Proves that shards make up a campaign, and the job scripts on a real Slurm on the loopback address:
# test.sh PROGRAM CAMPAIGN.
# - three shards by GNU parallel (by xargs where that is missing) and a merge have the bytes of the campaign that ran whole;
# - a campaign in three shards and a dependent merge has the bytes of the campaign that ran whole;
# - one shard dies at its first start, half way: it is run again, resumes, and nothing is missing;
# - one node dies with the shard that runs on it: the other node runs that shard, and nothing is missing;
# - one shard that always fails: the merge never runs, and no result stands there.
set -euo pipefail
program=$(readlink -f "$1") campaign=$(readlink -f "$2")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$program" campaign "$campaign" --out "$work/whole"

# One server without a scheduler: every shard is a command of its own.
shard=("$program" campaign "$campaign" --jobs 1 --resume --shard {}/3 --out "$work/server/shard-{}")
mkdir "$work/server"
if command -v parallel >/dev/null && parallel --version 2>/dev/null | grep -q '^GNU parallel'; then
    by='GNU parallel'
    parallel --quote "${shard[@]}" ::: 1 2 3
else
    by='xargs -P'
    printf '\n!! NOT CHECKED: GNU parallel is not installed here; xargs runs the same commands in its place.\n'
    printf '!! Install it with: apt-get install --no-install-recommends parallel\n'
    seq 3 | xargs -P 3 -I '{}' "${shard[@]}"
fi
"$program" merge "$work"/server/shard-{1,2,3} --out "$work/server/merged"
diff -r "$work/whole" "$work/server/merged"
echo "$by: three shards side by side merge to the bytes of the whole campaign"

for tool in slurmctld slurmd munged sbatch; do
    if ! command -v "$tool" >/dev/null; then
        printf '\n!! NOT CHECKED: %s is not installed here, so the Slurm scripts were not run.\n' "$tool"
        printf '!! Install it with: apt-get install --no-install-recommends slurm-wlm munge\n'
        exit 0
    fi
done
export SLURM_CONF=$work/slurm/slurm.conf
trap '"$here/loopback.sh" "$work/slurm" stop; rm -rf "$work"' EXIT
"$here/loopback.sh" "$work/slurm" start

# Waits for a job of that number to leave the queue.
ended() { while [ -n "$(squeue -h -j "$1" 2>/dev/null)" ]; do sleep 0.5; done; }

# A program that dies once: shard 2 at its first start, after its first rows.
cat > "$work/once" <<SCRIPT
#!/usr/bin/env bash
if [[ " \$* " == *" 2/3 "* ]] && mkdir "$work/died" 2>/dev/null; then
    "$program" "\$@" &
    child=\$!
    for _ in \$(seq 600); do
        [ "\$(cat "$work/array/.shard-2.partial/trials.csv" 2>/dev/null | wc -l)" -gt 1 ] && break
        sleep 0.05
    done
    kill -9 \$child
    exit 137
fi
exec "$program" "\$@"
SCRIPT
# A program that never finishes shard 2.
cat > "$work/never" <<SCRIPT
#!/usr/bin/env bash
if [[ " \$* " == *" 2/3 "* ]]; then exit 2; fi
exec "$program" "\$@"
SCRIPT
# A program that the first time on node n2 says which processes it runs in, and hangs until they are killed.
cat > "$work/hang" <<SCRIPT
#!/usr/bin/env bash
if [ "\$SLURMD_NODENAME" = n2 ] && mkdir "$work/hung" 2>/dev/null; then
    step=\$(ps -o ppid= -p \$PPID)
    echo \$step \$PPID \$\$ > "$work/hung/pids.new"
    mv "$work/hung/pids.new" "$work/hung/pids"
    exec sleep 300
fi
exec "$program" "\$@"
SCRIPT
chmod +x "$work/once" "$work/never" "$work/hang"

read -r array merge <<< "$(COOLTWIN=$work/once "$here/submit.sh" "$campaign" 3 "$work/array")"
ended "$array"; ended "$merge"
[ -d "$work/died" ] || { echo "shard 2 did not die: nothing was proven" >&2; exit 1; }
diff -r "$work/whole" "$work/array/merged" || { cat "$work"/array/*.log; exit 1; }
echo "slurm: three shards, one of them run again, merge to the bytes of the whole campaign"

read -r array merge <<< "$(COOLTWIN=$work/hang "$here/submit.sh" "$campaign" 3 "$work/node")"
for _ in $(seq 300); do
    if [ -f "$work/hung/pids" ]; then break; fi
    sleep 0.2
done
# The node first, so that nobody is left to tell of the end of its step.
kill -9 "$(cat "$work/slurm/run/slurmd-n2.pid")"
for pid in $(cat "$work/hung/pids"); do kill -9 "$pid"; done
ended "$array"; ended "$merge"
diff -r "$work/whole" "$work/node/merged" || { cat "$work"/node/*.log; exit 1; }
echo "slurm: the shard of a node that died ran on the other node, and nothing is missing"

read -r array merge <<< "$(COOLTWIN=$work/never "$here/submit.sh" "$campaign" 3 "$work/lost")"
ended "$array"; ended "$merge"
if [ -e "$work/lost/merged" ]; then echo "a merge without shard 2" >&2; exit 1; fi
echo "slurm: without shard 2 nothing was merged"
