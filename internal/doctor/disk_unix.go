//go:build linux || darwin

package doctor

import (
	"io/fs"
	"syscall"
)

// freeBytes returns how much this user may still write to the disk of a folder, or -1.
func freeBytes(folder string) int64 {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(folder, &disk); err != nil {
		return -1
	}
	return int64(disk.Bavail) * int64(disk.Bsize) //nolint:gosec,unconvert // the types differ between systems; no disk is that large
}

// writable returns why this user can't write to a file or folder, nil if it can.
func writable(name string) error {
	const write = 2 // W_OK (access(2))
	return syscall.Access(name, write)
}

// fileOwner returns the id of a file's owner, or -1.
func fileOwner(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}
