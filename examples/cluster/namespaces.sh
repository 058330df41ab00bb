#!/bin/sh
# Three network namespaces, whiten1 to whiten3, on a bridge, and a command beside it that reaches them: `cluster run -cut`
# cuts one off by taking the link whitenN down. All of it is in a namespace of its own, and gone when the command ends.
#   namespaces.sh COMMAND...      needs root and ip; says so and passes where namespaces cannot be made
set -eu
skip() { echo "namespaces: skipped: $1" && exit 0; }
if [ "${1:-}" != --inside ]; then
  [ "$(id -u)" = 0 ] || skip "only root can make them"
  command -v ip > /dev/null || skip "there is no ip (Debian: iproute2)"
  unshare --net --mount true 2> /dev/null || skip "none may be made here"
  exec unshare --net --mount "$0" --inside "$@"
fi
shift
mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns
ip link add bridge type bridge
ip address add 10.99.0.254/24 dev bridge
ip link set lo up
ip link set bridge up
for i in 1 2 3; do
  ip netns add "whiten$i"
  ip link add "whiten$i" type veth peer name ethernet netns "whiten$i"
  ip link set "whiten$i" master bridge up
  ip -n "whiten$i" address add "10.99.0.$i/24" dev ethernet
  ip -n "whiten$i" link set ethernet up
  ip -n "whiten$i" link set lo up
done
exec "$@"
