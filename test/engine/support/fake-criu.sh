#!/bin/sh
# Stands in for ckptd-criu with a CRIU behind it. Beside it lie `mode` (how it behaves), `record` and `stats` (what it
# leaves), `calls`, a line for each dump, and `refuses`, if the job's owner may not restore it: why. `looked` is what was
# looked at last, a line each, after the arguments.
here=$(dirname "$0")
mode=$(cat "$here/mode" 2>/dev/null)
if [ "$1" = may-restore ]; then
  echo "$*" >"$here/looked"
  tr '\0' '\n' >>"$here/looked"
  if [ -e "$here/refuses" ]; then
    cat "$here/refuses"
    exit 1
  fi
  echo "ok $(($(wc -l <"$here/looked") - 1))"
  exit 0
fi
all="$*" how='' images='' work='' rights='' folder=''
while [ $# -gt 0 ]; do
  case $1 in
    --capabilities) rights=" $2" ;;
    --images) folder=$2 ;;
    --images-dir) images=$2 ;;
    --work-dir) work=$2 ;;
    --leave-running | --leave-stopped) how=$1 ;;
    --tree) root=$2 ;;
  esac
  shift
done
echo "$root $how$rights" >>"$here/calls"
echo "$all" >"$here/arguments"
# With the owner's rights it has the folder as a descriptor, writes all there, and names are relative.
[ -z "$rights" ] || images=$folder work=$folder CKPTD_RECORD=$folder/$CKPTD_RECORD
case $mode in
  fail)
    echo "Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted" >"$work/dump.log"
    echo "Error (criu/sk-inet.c:191): Connected TCP socket" >>"$work/dump.log"
    exit 1
    ;;
  squash)
    echo half >"$images/pages-1.img"
    if [ -z "$rights" ]; then
      echo "Error (criu/files-reg.c:1684): Can't open file /net/home/out: Permission denied" >"$work/dump.log"
      exit 1
    fi
    ;;
  squash-all)
    echo "Error (criu/files-reg.c:1684): Can't open file /net/home/out$rights: Permission denied" >"$work/dump.log"
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
[ -z "$rights" ] || echo "CRIU's own words" >"$work/dump.log"
cp "$here/core-70.img" "$images/core-70.img"
# Without any file, unless the test has one.
printf '\031CVT8\061\060V' >"$images/files.img"
[ ! -e "$here/files.img" ] || cp "$here/files.img" "$images/files.img"
cp "$here/stats" "$work/stats-dump"
