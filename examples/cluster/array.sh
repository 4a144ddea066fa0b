#!/bin/bash
#SBATCH --job-name=restora
#SBATCH --array=0-99
#SBATCH --gpus-per-task=1
#SBATCH --ntasks=1
#SBATCH --requeue
# A Slurm array, without Ray. The folders in PHOTOS are dealt out to the tasks, and RESTORED gets a folder for each.
#   sbatch array.sh PHOTOS RESTORED [options of restora restore]
# Submit it again to go on after a failure: what is done is kept.
set -u
photos=$1 restored=$2
shift 2
folders=("$photos"/*/)
status=0
for ((k = SLURM_ARRAY_TASK_ID - SLURM_ARRAY_TASK_MIN; k < ${#folders[@]}; k += SLURM_ARRAY_TASK_COUNT)); do
    restora restore "${folders[k]}" -o "$restored/$(basename "${folders[k]}")" --recursive "$@" || status=$?
done
exit $status
