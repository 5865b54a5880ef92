//go:build unix

package storage

import (
	"io/fs"
	"syscall"
)

// fileGroup returns the id of a file's group, or -1.
func fileGroup(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Gid)
	}
	return -1
}
