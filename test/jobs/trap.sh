#!/bin/bash
# Counts, answers SIGUSR1, and ends in good order, with status 43, at SIGTERM.
trap 'echo "got USR1"' USR1
trap 'echo "got TERM"; exit 43' TERM
echo "start on $SLURMD_NODENAME"
i=0
while :; do
  i=$((i + 1))
  echo "i=$i"
  sleep 0.1
done
