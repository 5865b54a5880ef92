package web

import "syscall"

// attributes make the kernel kill the process when this process dies.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
