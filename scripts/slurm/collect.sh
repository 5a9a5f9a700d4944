#!/bin/bash
# Merges what the shards of a run have done, as a Slurm job of its own; scripts/slurm/submit starts it after the array.
set -euo pipefail
exec "${LESIONTRACE:?the program}" collect "${OUT:?the output folder}" --no-progress
