//go:build unix

package storage

import (
	"io/fs"
	"os"
	"syscall"
)

// owner is whom a file belongs to.
type owner struct{ user, group int }

func ownerOf(info fs.FileInfo) owner {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return owner{user: int(stat.Uid), group: int(stat.Gid)}
	}
	return owner{os.Geteuid(), os.Getegid()}
}

// isMe reports whether this user may make files of the owner: root may make those of all.
func (o owner) isMe() bool { return os.Geteuid() == 0 || os.Geteuid() == o.user }

// give makes a file the owner's, if this user is root.
func (o owner) give(name string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return os.Chown(name, o.user, o.group)
}
