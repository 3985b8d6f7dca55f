// Package simulation runs the write path as it is (commands, outbox, dispatch, generate, settle and cleanup) in virtual
// time, on the store in memory and a bus in memory, and breaks everything around it: processes crash, freeze and come
// back late, messages come twice, late or not at all, answers are lost, clocks jump. An oracle that shares no code with
// the deciders then reads the record and says what is wrong.
//
//	go test ./internal/simulation                 the usual number of seeds
//	go test ./internal/simulation -seeds=100000   more
//	go test ./internal/simulation -seed=4711 -v   one seed, with everything that happened
//
// # How a seed decides everything
//
// Every seed runs in a bubble of testing/synctest. Each use of a port by a process waits for its turn. Only when the
// whole bubble is at rest does the scheduler let one use go on: which one, how late, and what goes wrong with it is
// drawn from the seed. Between two turns all goroutines run on to their next use of a port or timer; they share nothing
// there, so their order does not matter. Choices that Go makes at random are kept out: uses that wait at the same time
// are sorted by process, port and key, and no two timers that matter are due at the same nanosecond.
//
// # What it does not do
//
// There is no Postgres, Kafka or HTTP here, and no view: what is due and which jobs are open is folded by the
// simulation itself, late on purpose. Every worker has one slot. Snapshots and image commands are left out. The context
// of a command does not end while that command leads a batch. A dispatcher is not frozen between reading and publishing
// without being told to end, since it holds a lock there.
package simulation
