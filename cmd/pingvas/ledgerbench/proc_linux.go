package ledgerbench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of processor time in /proc: the kernel's USER_HZ is 100 on every architecture that Go runs on.
const tick = 10 * time.Millisecond

// Fields of /proc/<pid>/stat after the name, counted from 0: see proc_pid_stat(5), which counts from 1 with two before.
const (
	statParent    = 1
	statUser      = 11
	statSystem    = 12
	statChildUser = 13 // of children that have ended
	statChildSys  = 14
	statResident  = 21 // pages
	statFields    = 22 // at least
)

// stat is a line of /proc/<pid>/stat.
type stat struct {
	name   string
	fields []string
}

func readStat(pid int) (stat, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, false
	}
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return stat{}, false
	}
	s := stat{string(text[open+1 : end]), strings.Fields(string(text[end+1:]))}
	return s, len(s.fields) >= statFields
}

func (s stat) number(field int) int64 {
	n, _ := strconv.ParseInt(s.fields[field], 10, 64) // the kernel wrote it
	return n
}

func (s stat) ticks(fields ...int) time.Duration {
	var sum int64
	for _, f := range fields {
		sum += s.number(f)
	}
	return time.Duration(sum) * tick
}

// ownCPU returns what this process has spent.
func ownCPU() (time.Duration, bool) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, false
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), true
}

// processCPU returns what a process has spent.
func processCPU(pid int) (time.Duration, bool) {
	s, ok := readStat(pid)
	if !ok {
		return 0, false
	}
	return s.ticks(statUser, statSystem), true
}

// postmasterOf returns the parent of a backend, or 0 unless both are Postgres on this machine.
func postmasterOf(backend int) int {
	child, ok := readStat(backend)
	if !ok || !strings.HasPrefix(child.name, "postgres") {
		return 0
	}
	parent := int(child.number(statParent))
	if s, ok := readStat(parent); !ok || !strings.HasPrefix(s.name, "postgres") {
		return 0
	}
	return parent
}

// treeCPU returns what a process and its children have spent, those that have ended included.
func treeCPU(parent int) (time.Duration, bool) {
	s, ok := readStat(parent)
	if !ok {
		return 0, false
	}
	sum := s.ticks(statUser, statSystem, statChildUser, statChildSys)
	for _, pid := range childrenOf(parent) {
		spent, _ := processCPU(pid) // one that has just ended is counted with the parent
		sum += spent
	}
	return sum, true
}

// Resident returns the bytes of memory that a process holds, and false where the operating system does not tell.
func Resident(pid int) (int64, bool) {
	s, ok := readStat(pid)
	if !ok {
		return 0, false
	}
	return s.number(statResident) * int64(os.Getpagesize()), true
}

// Anonymous returns what of that is the process's own: neither pages of its program nor of other files, which the
// system can drop at any time. It returns false where the operating system does not tell.
func Anonymous(pid int) (int64, bool) {
	n := kibibytes(fmt.Sprintf("/proc/%d/status", pid), "RssAnon:") << 10
	return n, n > 0
}

// PostgresMemory returns the bytes of memory that the Postgres server of the meter holds. What its processes share is
// counted once, at its owner's side: proportional set sizes add up.
func (m *Meter) PostgresMemory() (int64, bool) {
	if m == nil || m.postmaster == 0 {
		return 0, false
	}
	var sum int64
	for _, pid := range append(childrenOf(m.postmaster), m.postmaster) {
		sum += proportional(pid)
	}
	return sum, sum > 0
}

func childrenOf(parent int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var out []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if s, ok := readStat(pid); ok && int(s.number(statParent)) == parent {
			out = append(out, pid)
		}
	}
	return out
}

// proportional returns the Pss of a process in bytes, or 0.
func proportional(pid int) int64 {
	return kibibytes(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss:") << 10
}

// kibibytes returns what the line of a name tells in a file of /proc, or 0.
func kibibytes(file, name string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == name {
			n, _ := strconv.ParseInt(fields[1], 10, 64) // the kernel wrote it
			return n
		}
	}
	return 0
}
