//go:build !unix

package storage

import "io/fs"

// fileGroup returns -1: files have no group.
func fileGroup(fs.FileInfo) int { return -1 }
