#!/bin/sh
# Stands in for ckptd-criu with a CRIU behind it. Beside it lie `mode` (how it behaves), `record` and `stats` (what it
# leaves), and `calls`, a line for each dump.
here=$(dirname "$0")
mode=$(cat "$here/mode" 2>/dev/null)
how='' images='' work=''
while [ $# -gt 0 ]; do
  case $1 in
    --images-dir) images=$2 ;;
    --work-dir) work=$2 ;;
    --leave-running | --leave-stopped) how=$1 ;;
    --tree) root=$2 ;;
  esac
  shift
done
echo "$root $how" >>"$here/calls"
case $mode in
  fail)
    echo "Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted" >"$work/dump.log"
    echo "Error (criu/sk-inet.c:191): Connected TCP socket" >>"$work/dump.log"
    exit 1
    ;;
  cut)
    echo image >"$images/files.img"
    exit 0
    ;;
  wait) until [ -e "$here/go" ]; do sleep 0.02; done ;;
esac
cp "$here/record" "$CKPTD_RECORD"
# rootfsonly has no CRIU.
[ -n "$images" ] || exit 0
cp "$here/core-70.img" "$images/core-70.img"
# Without any file, unless the test has one.
printf '\031CVT8\061\060V' >"$images/files.img"
for name in files sk-queues; do
  [ ! -e "$here/$name.img" ] || cp "$here/$name.img" "$images/$name.img"
done
cp "$here/stats" "$work/stats-dump"
