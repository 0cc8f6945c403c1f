#!/bin/bash
# Counts into its output and into a file of its own, until its finish file is there. Then it ends as END says: with
# an exit status, or by a signal of that name.
finish=/shared/finish-$SLURM_JOB_ID
exec 3>"/shared/own-$SLURM_JOB_ID"
echo "start on $SLURMD_NODENAME"
i=0
until [ -e "$finish" ]; do
  i=$((i + 1))
  echo "i=$i"
  echo "i=$i" >&3
  sleep 0.1
done
echo "last=$i"
echo "last=$i" >&3
case ${END:-0} in
[0-9]*) exit "${END:-0}" ;;
*) kill -s "$END" $$ ;;
esac
