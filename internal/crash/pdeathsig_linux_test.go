package crash

import "syscall"

// dieWithTest has the kernel kill the process when the thread that started it ends.
func dieWithTest(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
