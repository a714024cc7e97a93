# shellcheck shell=bash
# The processes that scripts/up starts and scripts/down stops: their names, ports, files, and how to tell that they are
# still the same ones. Sourced, never run.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Read by the scripts that source this.
# shellcheck disable=SC2034
metaserver_port=1111
dataserver_ports=(2222 3333 4444 5555 6666)
# shellcheck disable=SC2034
bin_dir=$(build_dir release)/bin

# server_names: metaserver dataserver0 dataserver1 ...
server_names() {
  local i
  printf 'metaserver\n'
  for i in "${!dataserver_ports[@]}"; do printf 'dataserver%d\n' "$i"; done
}

# server_port NAME
server_port() {
  if [[ $1 == metaserver ]]; then printf '%d\n' "$metaserver_port"; else printf '%d\n' "${dataserver_ports[${1#dataserver}]}"; fi
}

pid_file() { printf '%s/pid/%s\n' "$state_dir" "$1"; }
log_file() { printf '%s/log/%s.log\n' "$state_dir" "$1"; }

# start_time PID: when the process began, in clock ticks since boot; empty when there is none. With it a pid that the
# kernel has given to somebody else is never mistaken for ours.
start_time() {
  local stat
  { stat=$(< "/proc/$1/stat"); } 2> /dev/null || return 0
  # After "pid (name) " comes field 3; the start time is field 22. A zombie has ended.
  read -r -a fields <<< "${stat##*) }"
  [[ ${fields[0]} == Z ]] || printf '%s\n' "${fields[19]}"
}

# remember NAME PID
remember() {
  mkdir -p "$state_dir/pid"
  printf '%d %s\n' "$2" "$(start_time "$2")" > "$(pid_file "$1")"
}

# pid_of NAME: its pid while it lives; empty otherwise.
pid_of() {
  local pid since
  { read -r pid since < "$(pid_file "$1")"; } 2> /dev/null || return 0
  [[ -n $since && $(start_time "$pid") == "$since" ]] && printf '%s\n' "$pid"
  return 0
}

# mount_state: absent, empty, stale (its process is gone), mendfs, or other (something else is mounted there).
mount_state() {
  local complaint type
  type=$(MOUNT_DIR=$mount_dir awk '{ path = $5; gsub(/\\040/, " ", path); gsub(/\\134/, "\\", path) }
    path == ENVIRON["MOUNT_DIR"] { for (i = 7; $i != "-"; i++); type = $(i + 1) } END { print type }' /proc/self/mountinfo)
  # A look at a live mount waits while its metaserver is down, and that is who may be about to be started.
  if [[ $type == fuse.mendfs && -n $(pid_of fuseclient) ]]; then
    printf 'mendfs\n'
  elif complaint=$(LC_ALL=C timeout 2 stat "$mount_dir" 2>&1 > /dev/null) || [[ $? -eq 124 ]]; then
    case $type in
      "") printf 'empty\n' ;;
      fuse.mendfs) printf 'mendfs\n' ;;
      *) printf 'other\n' ;;
    esac
  elif [[ $complaint == *"not connected"* ]]; then
    printf 'stale\n'
  else
    printf 'absent\n'
  fi
}

# unmount_lazily: also when files are open there, or nobody answers.
unmount_lazily() {
  fusermount3 -u -z -q "$mount_dir" 2> /dev/null || umount -l "$mount_dir" 2> /dev/null || true
}

# wait_until SECONDS COMMAND...: runs it until it succeeds; fails when the time is over.
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [[ $SECONDS -lt $deadline ]] || return 1
    sleep 0.05
  done
}

has_ended() { [[ -z $(pid_of "$1") ]]; }

# stop_part NAME: asks it to end, insists after 5 s; fine if it is not there.
stop_part() {
  local pid
  pid=$(pid_of "$1")
  if [[ -n $pid ]]; then
    kill -TERM "$pid" 2> /dev/null || true
    kill -CONT "$pid" 2> /dev/null || true # it may have been stopped
    if ! wait_until 5 has_ended "$1"; then
      kill -KILL "$pid" 2> /dev/null || true
      wait_until 5 has_ended "$1" || die "$1 (pid $pid) does not end, not even by SIGKILL"
    fi
  fi
  rm -f "$(pid_file "$1")"
}

# take_lock: one up or down at a time. The processes started later must not inherit it: 9>&-.
take_lock() {
  mkdir -p "$state_dir"
  exec 9> "$state_dir/lock"
  flock -w 60 9 || die "another scripts/up or scripts/down is at work"
}
