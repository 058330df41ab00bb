# A minimal Debian (debootstrap's minbase) of this machine's release in a temporary folder, for scripts beside this one.
# They set `what`, the name that their messages begin with, source this, and call `in_root ARGUMENT...`, which starts the
# script again as `SCRIPT --inside ROOT RELEASE MIRROR ARGUMENT...` in a namespace of mounts and processes of its own: what
# is mounted is gone when it ends, whatever ends it. That calls `make_root`, then `within COMMAND`.
# Sources, keys and proxies of apt are those of this machine, and so are npm's registry and the certificates that it trusts. Needs root, and some 2 GB in TMPDIR.
# shellcheck shell=bash

# shellcheck disable=SC2154 # what is the script's
skip() { echo "$what: skipped: $1" && exit 0; }

# make_root ROOT RELEASE MIRROR
make_root() {
  root=$1
  echo "$what: a minimal $2 in $root"
  debootstrap --variant=minbase "$2" "$root" "$3" > "$root.log" 2>&1 || {
    tail -n 20 "$root.log"
    skip "debootstrap made no root"
  }
  mount --rbind /dev "$root/dev"
  mount -t proc proc "$root/proc"
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
  for part in sources.list sources.list.d auth.conf auth.conf.d trusted.gpg trusted.gpg.d keyrings; do
    rm -rf "$root/etc/apt/$part"
    if [ -e "/etc/apt/$part" ]; then cp -a "/etc/apt/$part" "$root/etc/apt/"; fi
  done
  apt-config dump | grep -E '^Acquire::((http|https)::|Check-|Retries )' > "$root/etc/apt/apt.conf.d/90host" || true
  cp -a /usr/share/keyrings "$root/usr/share/"
  # A mirror that is reached by https, with the certificates that are trusted here.
  if grep -rqs '^[^#]*https:' "$root/etc/apt"; then cp -aL /etc/ssl/certs "$root/etc/ssl/" 2> /dev/null || true; fi
  # Where npm is not, so are its settings not needed.
  command -v npm > /dev/null || return 0
  local cafile
  cafile=$(npm config get cafile)
  echo "registry=$(npm config get registry)" > "$root/root/.npmrc"
  if [ -f "$cafile" ]; then
    cp "$cafile" "$root/root/trusted.crt"
    echo "cafile=/root/trusted.crt" >> "$root/root/.npmrc"
  fi
}

# Runs a command in the root, with a fresh environment but for the proxies.
within() {
  local proxies=()
  for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    if [ -n "${!name:-}" ]; then proxies+=("$name=${!name}"); fi
  done
  env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
    "${proxies[@]}" chroot "$root" bash -c "$1"
}

# install PACKAGE...: in the root
install() { within "apt-get -qq update && apt-get -qq install -y --no-install-recommends $* > /dev/null"; }

in_root() {
  local release mirror folder
  [ "$(id -u)" = 0 ] || skip "only root can make a root"
  for program in debootstrap apt-get unshare git; do
    command -v $program > /dev/null || skip "no $program here (make check-deps)"
  done
  # shellcheck source=/dev/null
  release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  # shellcheck disable=SC2016 # apt's own variables
  mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' 2> /dev/null |
    awk -v release="$release" '$1 == release && $2 == "main" { print $3; exit }')
  [ -n "$mirror" ] || skip "apt knows no mirror of the release $release"
  unshare --mount true 2> /dev/null || skip "no namespace for mounts may be made here"
  folder=$(mktemp -d "${TMPDIR:-/tmp}/fresh-XXXXXX")
  # shellcheck disable=SC2064 # the folder that it is now
  trap "rm -rf --one-file-system '$folder'" EXIT
  trap 'exit 1' HUP INT TERM
  unshare --mount --pid --fork --kill-child "tests/checks/$(basename "$0")" --inside "$folder/root" "$release" "$mirror" "$@"
}
