package pgserver

import "syscall"

// dieWithOwner lets the kernel ask the server for a fast shutdown when the thread that started it ends.
func dieWithOwner(attr *syscall.SysProcAttr) {
	attr.Pdeathsig = syscall.SIGINT
}
