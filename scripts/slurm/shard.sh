#!/bin/bash
# One shard of a run as one task of a Slurm job array; scripts/slurm/submit starts it.
#
# `exec` matters: Slurm sends its signals to the batch process itself, and a child of the shell would only ever see SIGKILL.
# On SIGTERM (scancel, time limit) patients at work end after the stage they are in and are marked interrupted.
# Exit code 75 means "try again later" (full disk, file server away): set RequeueExit=75 in slurm.conf to have such tasks requeued.
#SBATCH --job-name=lesiontrace
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=TERM@60
set -euo pipefail
: "${LESIONTRACE:?the program}" "${ARCHIVE:?the archive}" "${OUT:?the output folder}"
# Slurm gives memory in MiB, for the node or for each CPU; a fifth is left to the program itself and the model.
memory_mib=${SLURM_MEM_PER_NODE:-$((${SLURM_MEM_PER_CPU:-2048} * ${SLURM_CPUS_PER_TASK:-1}))}
study=()
if [[ -n "${STUDY:-}" ]]; then study=("$STUDY"); fi
exec "$LESIONTRACE" run "${study[@]}" --archive "$ARCHIVE" --out "$OUT" --resume \
    --shard "$((SLURM_ARRAY_TASK_ID - SLURM_ARRAY_TASK_MIN + 1))/$SLURM_ARRAY_TASK_COUNT" \
    --memory "$((memory_mib * 4 / 5))MiB" --log-format json --no-progress
