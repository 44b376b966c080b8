#!/usr/bin/env bash
# A private Slurm for tests: loopback.sh DIR start|stop. One controller and two nodes on 127.0.0.1, without systemd and
# cgroups, everything in DIR. Needs Debian's slurm-wlm and munge, and root.
set -euo pipefail
dir=$(readlink -m "$1") host=$(hostname -s)
export SLURM_CONF=$dir/slurm.conf
start() {
    mkdir -p "$dir"/{state,spool-n1,spool-n2,log,run,munge}
    chmod 755 "$dir/munge"
    dd if=/dev/urandom of="$dir/munge/key" bs=1024 count=1 status=none
    chmod 400 "$dir/munge/key"
    munged --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" --pid-file="$dir/munge/pid" \
        --log-file="$dir/log/munged.log" --seed-file="$dir/munge/seed"
    # cred_expire: a task that is run again waits 120 s without it.
    cat > "$SLURM_CONF" <<CONF
ClusterName=loop
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket=$dir/munge/socket,cred_expire=5
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort=16817
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool-%n
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmdPidFile=$dir/run/slurmd-%n.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$dir/log/jobcomp.log
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdTimeout=10
JobRequeue=1
SlurmdParameters=config_overrides
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=16821 CPUs=1 RealMemory=2000 State=UNKNOWN
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=16822 CPUs=1 RealMemory=2000 State=UNKNOWN
PartitionName=ci Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
CONF
    slurmctld -c
    slurmd -N n1
    slurmd -N n2
    for _ in $(seq 300); do
        [ "$(sinfo -h -t idle -o %D 2>/dev/null)" = 2 ] && return 0
        sleep 0.2
    done
    echo "the nodes did not come up, see $dir/log" >&2
    return 1
}
stop() {
    for file in "$dir"/run/slurmd-n1.pid "$dir"/run/slurmd-n2.pid "$dir/run/slurmctld.pid" "$dir/munge/pid"; do
        if [ ! -f "$file" ]; then continue; fi
        pid=$(cat "$file")
        kill "$pid" 2>/dev/null || continue
        # The controller writes its state as it ends: who removes the folder has to wait for that.
        for _ in $(seq 100); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
    done
}
"$2"
