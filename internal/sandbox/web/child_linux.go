package web

import "syscall"

// attributes make the process end with this one, however this one ends.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
