#!/bin/sh
# A real Slurm of one node on the loopback address runs a sweep of four shards; their merged report equals the unsharded one.
# usage: slurm.sh KVLAB MODEL_FOLDER SWEEP.sbatch. Exit code 77: skipped, since Slurm is not installed or may not be started.
set -eu
program=$1
model=$2
script=$3
for tool in slurmctld slurmd sbatch scontrol sinfo munged mungekey; do
    PATH=$PATH:/usr/sbin command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed (slurm-wlm, munge)"; exit 77; }
done
[ "$(id -u)" = 0 ] || { echo "skipped: a Slurm of one's own needs root"; exit 77; }
PATH=$PATH:/usr/sbin

work=$(mktemp -d)
stop() {
    for pid in "$work"/*.pid; do
        [ -f "$pid" ] && kill "$(cat "$pid")" 2>/dev/null || true
    done
    sleep 1
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' INT TERM

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

chmod 755 "$work"
mkdir "$work/state" "$work/spool" "$work/munge"
chmod 700 "$work/munge"
mungekey --create --keyfile "$work/munge/key" >/dev/null
munged --force --socket "$work/munge.socket" --key-file "$work/munge/key" --pid-file "$work/munged.pid" \
    --log-file "$work/munge/log" --seed-file "$work/munge/seed"
host=$(hostname -s)
cat >"$work/slurm.conf" <<CONF
ClusterName=kvlab
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
SwitchType=switch/none
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF="$work/slurm.conf"
slurmctld -f "$SLURM_CONF"
slurmd -f "$SLURM_CONF"
for _ in $(seq 30); do
    [ "$(sinfo -h -o %T 2>/dev/null)" = idle ] && break
    sleep 1
done
[ "$(sinfo -h -o %T)" = idle ] || { cat "$work"/slurm*.log; echo "the node did not come up"; exit 1; }

cat >"$work/x.json" <<SWEEP
{"kvlab_experiment": 1, "title": "a sweep for Slurm", "model": "$model",
 "options": {"method": ["full", "streamingllm", "fastkv"], "kv-rate": [0.1, 0.2], "samples": 2, "threads": 1},
 "parts": [{"command": "eval", "task": ["needle/single_noise", "needle/single_essay"], "context": [512, 640], "seed": [1, 2]}]}
SWEEP
"$program" run "$work/x.json" -o "$work/whole.jsonl" >/dev/null 2>&1
cd "$work"
job=$(KVLAB=$program sbatch --parsable --array=1-4 --output="$work/job-%a.log" "$script" "$work/x.json" "$work/merged.jsonl")
for _ in $(seq 120); do
    [ -z "$(squeue -h -j "$job" 2>/dev/null)" ] && break
    sleep 1
done
n=$(ls "$work"/merged.shard-*.jsonl | grep -cv samples)
[ "$n" = 4 ] || { cat "$work"/job-*.log "$work"/slurm*.log; echo "$n shards wrote records, 4 were to"; exit 1; }
"$program" report "$work/whole.jsonl" --format csv | sort >"$work/whole.csv"
"$program" report $(ls "$work"/merged.shard-*.jsonl | grep -v samples) --format csv | sort >"$work/merged.csv"
[ "$(wc -l <"$work/whole.csv")" -gt 10 ] || { cat "$work/whole.csv"; echo "the unsharded report is too short"; exit 1; }
diff "$work/whole.csv" "$work/merged.csv"
echo "4 shards through Slurm: the merged report equals the unsharded one, $(wc -l <"$work/whole.csv") lines"
