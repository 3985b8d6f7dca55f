//go:build !linux

package ledgerbench

import "time"

// Only Linux tells what is asked here.

func ownCPU() (time.Duration, bool) { return 0, false }

func processCPU(int) (time.Duration, bool) { return 0, false }

func postmasterOf(int) int { return 0 }

func treeCPU(int) (time.Duration, bool) { return 0, false }

// Resident returns the bytes of memory that a process holds, and false where the operating system does not tell.
func Resident(int) (int64, bool) { return 0, false }

// Anonymous returns what of that is the process's own, and false where the operating system does not tell.
func Anonymous(int) (int64, bool) { return 0, false }

// PostgresMemory returns the bytes of memory that the Postgres server of the meter holds.
func (m *Meter) PostgresMemory() (int64, bool) { return 0, false }
