#!/bin/bash
# One shard of a run as one task of a Slurm job array; scripts/slurm/submit starts it.
#
# `exec` matters: Slurm signals the batch process itself, and a child of the shell would only ever see SIGKILL. B: in --signal
# says the same of the early signal. On SIGTERM (scancel, a time limit that comes near) patients at work end after the stage they
# are in, at most 15 s later, are marked interrupted, and the task ends with 143.
# Exit code 75 means "try again later" (full disk, file server away): with RequeueExit=75 in slurm.conf such tasks are requeued.
# Threads (SLURM_CPUS_PER_TASK) and memory (what the task is granted) the program finds itself.
#SBATCH --job-name=lesiontrace
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@60
set -euo pipefail
: "${LESIONTRACE:?the program}" "${ARCHIVE:?the archive}" "${OUT:?the output folder}"
study=()
if [[ -n "${STUDY:-}" ]]; then study=("$STUDY"); fi
exec "$LESIONTRACE" run "${study[@]}" --archive "$ARCHIVE" --out "$OUT" --resume \
    --shard "$((SLURM_ARRAY_TASK_ID - SLURM_ARRAY_TASK_MIN + 1))/$SLURM_ARRAY_TASK_COUNT" --log-format json --no-progress
