#!/usr/bin/env bash
# Runs a single Apache Kafka broker (KRaft, no containers) from its jars on Maven Central. Needs Maven and Java 17.
set -euo pipefail

usage() {
  cat <<'HELP'
usage: broker.sh run                 start a broker, print KAFKA_BROKERS=host:port, and run until Ctrl-C
       broker.sh with COMMAND...     start a broker, run the command with KAFKA_BROKERS set, and stop the broker

environment:
  KAFKA_VERSION   version of org.apache.kafka:kafka_2.13   (default 4.4.0)
  KAFKA_PORT      port on 127.0.0.1, 0 for a free one      (default: run 9092, with 0)
  KAFKA_HOME      where the jars are kept                  (default ${XDG_CACHE_HOME:-~/.cache}/pingvas/kafka)
  KAFKA_DATA      data folder; kept                        (default: a temporary one, which is removed)
  KAFKA_HEAP      heap of the broker                       (default 512m)
HELP
}

version=${KAFKA_VERSION:-4.4.0}
home=${KAFKA_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/pingvas/kafka}
libs=$home/$version
here=$(cd "$(dirname "$0")" && pwd)
ready_seconds=90
stop_seconds=30
cluster_id=cGluZ3Zhcy1kZXYta2Fma2E # any 16 bytes in base 64
broker=

say() { echo "broker.sh: $*" >&2; }

fetch() {
  cmp -s "$here/pom.xml" "$libs/.complete" && return
  for tool in mvn java; do
    command -v "$tool" >/dev/null || { say "$tool is not installed; needed are Maven and Java 17 or later"; exit 1; }
  done
  say "fetching Apache Kafka $version from Maven Central (about 45 MB)"
  mvn -B -q -Dstyle.color=never -f "$here/pom.xml" "-Dkafka.version=$version" dependency:copy-dependencies \
    "-DoutputDirectory=$libs" -DincludeScope=runtime >&2
  cp "$here/pom.xml" "$libs/.complete"
}

free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 10000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

# A single broker: every internal topic has one replica. Topics are created by pingvas alone, as in production.
configure() {
  cat >"$data/server.properties" <<CONFIG
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller_port
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller_port
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
log.dirs=$data/log
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.retention.check.interval.ms=1000
log.cleaner.backoff.ms=500
log.initial.task.delay.ms=1000
CONFIG
}

options=("-Xmx${KAFKA_HEAP:-512m}" -Dorg.slf4j.simpleLogger.defaultLogLevel=warn
  -Dorg.slf4j.simpleLogger.showDateTime=true '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS' -cp "$libs/*")

stop() {
  if [ -n "$broker" ] && kill -0 "$broker" 2>/dev/null; then
    kill -TERM "$broker"
    for _ in $(seq $((stop_seconds * 10))); do
      kill -0 "$broker" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL "$broker" 2>/dev/null || true
    wait "$broker" 2>/dev/null || true
  fi
  [ -n "${KAFKA_DATA:-}" ] || rm -rf "$data"
}

start() {
  fetch
  data=${KAFKA_DATA:-$(mktemp -d -t pingvas-kafka-XXXXXX)}
  mkdir -p "$data"
  trap stop EXIT
  trap 'exit 130' INT TERM
  port=${KAFKA_PORT:-$1}
  [ "$port" != 0 ] || port=$(free_port)
  controller_port=$(free_port)
  configure
  if [ ! -f "$data/log/meta.properties" ]; then
    java "${options[@]}" kafka.tools.StorageTool format --config "$data/server.properties" \
      --cluster-id "$cluster_id" >>"$data/broker.log" 2>&1
  fi
  # In a session of its own, so that Ctrl-C reaches the broker through stop alone.
  setsid java "${options[@]}" kafka.Kafka "$data/server.properties" \
    >>"$data/broker.log" 2>&1 &
  broker=$!
  await
}

await() {
  for _ in $(seq $((ready_seconds * 5))); do
    kill -0 "$broker" 2>/dev/null || { say "the broker ended:"; tail -n 30 "$data/broker.log" >&2; exit 1; }
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
    sleep 0.2
  done
  say "the broker was not ready within $ready_seconds s:"
  tail -n 30 "$data/broker.log" >&2
  exit 1
}

case ${1:-} in
run)
  start 9092
  trap 'exit 0' INT TERM
  echo "KAFKA_BROKERS=127.0.0.1:$port"
  say "Apache Kafka $version is ready, data in $data; Ctrl-C ends it"
  wait "$broker"
  ;;
with)
  shift
  start 0
  # Tests that restart a broker start one of their own with the program that is named here.
  KAFKA_BROKERS=127.0.0.1:$port KAFKA_BROKER_PROGRAM=$here/$(basename "$0") "$@"
  ;;
*)
  usage
  [ "${1:-}" = --help ] || exit 2
  ;;
esac
