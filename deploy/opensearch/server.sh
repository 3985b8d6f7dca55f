#!/usr/bin/env bash
# Runs a single OpenSearch node with Nori from its jars on Maven Central, without containers. Needs Maven and a JDK 17.
set -euo pipefail

usage() {
  cat <<'HELP'
usage: server.sh run                 start a node, print OPENSEARCH_URL=http://host:port, and run until Ctrl-C
       server.sh with COMMAND...     start a node, run the command with OPENSEARCH_URL set, and stop the node

environment:
  OPENSEARCH_PORT   port on 127.0.0.1, 0 for a free one      (default: run 9200, with 0)
  OPENSEARCH_HOME   where the jars are kept                  (default ${XDG_CACHE_HOME:-~/.cache}/pingvas/opensearch)
  OPENSEARCH_DATA   data folder; kept                        (default: a temporary one, which is removed)
  OPENSEARCH_HEAP   heap of the node                         (default 512m)
  OPENSEARCH_NORI   no: without Nori, to see what happens    (default yes)
HELP
}

here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's|.*<opensearch.version>\(.*\)</opensearch.version>.*|\1|p' "$here/pom.xml")
home=${OPENSEARCH_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/pingvas/opensearch}/$version
ready_seconds=120
stop_seconds=30
node=

say() { echo "server.sh: $*" >&2; }

fetch() {
  for tool in mvn java javac; do
    command -v "$tool" >/dev/null || { say "$tool is not installed; needed are Maven and a JDK of version 17"; exit 1; }
  done
  if [ ! -f "$home/.complete" ]; then
    say "fetching OpenSearch $version from Maven Central (about 55 MB)"
    mvn -B -q -f "$here/pom.xml" dependency:copy-dependencies "-DoutputDirectory=$home/lib" -DincludeScope=runtime >&2
    touch "$home/.complete"
  fi
  if [ ! -f "$home/classes/Node.class" ] || [ "$here/Node.java" -nt "$home/classes/Node.class" ]; then
    javac -nowarn -cp "$home/lib/*" -d "$home/classes" "$here/Node.java" >&2
  fi
}

free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 10000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

stop() {
  if [ -n "$node" ] && kill -0 "$node" 2>/dev/null; then
    kill -TERM "$node"
    for _ in $(seq $((stop_seconds * 10))); do
      kill -0 "$node" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL "$node" 2>/dev/null || true
    wait "$node" 2>/dev/null || true
  fi
  [ -n "${OPENSEARCH_DATA:-}" ] || rm -rf "$data"
}

start() {
  fetch
  data=${OPENSEARCH_DATA:-$(mktemp -d -t pingvas-opensearch-XXXXXX)}
  mkdir -p "$data/config"
  trap stop EXIT
  trap 'exit 130' INT TERM
  port=${OPENSEARCH_PORT:-$1}
  [ "$port" != 0 ] || port=$(free_port)
  local without=()
  [ "${OPENSEARCH_NORI:-yes}" = yes ] || without=(--without-nori)
  # In a session of its own, so that Ctrl-C reaches the node through stop alone.
  setsid java "-Xmx${OPENSEARCH_HEAP:-512m}" -cp "$home/classes:$home/lib/*" Node "$data" "$port" "${without[@]}" \
    >"$data/node.log" 2>&1 &
  node=$!
  await
}

await() {
  for _ in $(seq $((ready_seconds * 5))); do
    kill -0 "$node" 2>/dev/null || { say "the node ended:"; tail -n 30 "$data/node.log" >&2; exit 1; }
    grep -q '^ready$' "$data/node.log" && return
    sleep 0.2
  done
  say "the node was not ready within $ready_seconds s:"
  tail -n 30 "$data/node.log" >&2
  exit 1
}

case ${1:-} in
run)
  start 9200
  echo "OPENSEARCH_URL=http://127.0.0.1:$port"
  say "OpenSearch $version is ready, data in $data; Ctrl-C ends it"
  wait "$node"
  ;;
with)
  shift
  start 0
  OPENSEARCH_URL=http://127.0.0.1:$port "$@"
  ;;
*)
  usage
  [ "${1:-}" = --help ] || exit 2
  ;;
esac
