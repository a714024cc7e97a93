# shellcheck shell=bash
# What the scripts beside it share: where things are, how they speak. Sourced, never run.

set -euo pipefail

# Each of these is used by some of the scripts only.
# shellcheck disable=SC2034
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034
state_dir=$root/.mendfs
# shellcheck disable=SC2034
mount_dir=$root/mnt

# die SENTENCE: the error is the last line a script prints.
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

say() { printf '%s\n' "$*"; }

# The comment at the top of a script is its help.
show_help() {
  awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$0"
}

# build_dir PRESET: where that preset builds, as CMakePresets.json says.
build_dir() {
  if [[ $1 == release ]]; then printf '%s/build\n' "$root"; else printf '%s/build/%s\n' "$root" "$1"; fi
}

# value_of OPTION VALUE...: the value of an option that needs one.
value_of() {
  [[ $# -ge 2 ]] || die "$1 needs a value; see --help"
  printf '%s\n' "$2"
}
