//go:build unix && !linux

package pgserver

import "syscall"

// dieWithOwner does nothing where the kernel offers nothing: the next Start stops a left-over server.
func dieWithOwner(*syscall.SysProcAttr) {}
