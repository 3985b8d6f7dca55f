#!/usr/bin/env bash
# Runs the scripted browser run against an instance of its own: instance.sh <pingvas> <folder for screenshots>
set -euo pipefail
pingvas=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
data=$(mktemp -d)
chmod 711 "$data" # the private Postgres runs as a user of its own when this is root
cd "$(dirname "$0")/.."

"$pingvas" dev --data "$data" --addr 127.0.0.1:0 --sketch-pace 20ms >"$data/out" 2>"$data/log" &
instance=$!
stop() {
  kill "$instance" 2>/dev/null || true
  wait "$instance" || true
  rm -rf "$data"
}
trap stop EXIT

url=""
for _ in $(seq 300); do
  url=$(sed -n 's/^pingvas is ready .*: \(http.*\)$/\1/p' "$data/out")
  [ -n "$url" ] && break
  kill -0 "$instance" 2>/dev/null || break
  sleep 0.1
done
if [ -z "$url" ]; then
  echo "the instance did not become ready:" >&2
  tail -20 "$data/log" >&2
  exit 1
fi
BASE_URL=$url OUT_DIR=$out npm run --silent e2e
"$pingvas" audit verify --data "$data"
