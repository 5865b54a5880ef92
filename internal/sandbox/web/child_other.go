//go:build !linux

package web

import "syscall"

// attributes returns nil: only Linux can kill a process when its parent dies.
func attributes() *syscall.SysProcAttr { return nil }
