package pgtest

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// serversUser is who runs servers for root, which PostgreSQL refuses (.ci/postgres).
const serversUser = "postgres"

// ServersDir makes a folder for the servers of a test, which belongs to ServersUser and is
// removed at the end of the test, after what the test cleans up itself. Its path is short
// enough for a socket. It is beside the test server's socket, else among temporary files.
func ServersDir(tb testing.TB) string {
	tb.Helper()
	parent := ""
	if config, err := pgx.ParseConfig(os.Getenv(serverVariable)); err == nil && filepath.IsAbs(config.Host) {
		parent = config.Host
	}
	dir, err := os.MkdirTemp(parent, "pair") //nolint:usetesting // the path of t.TempDir is too long for a socket
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil { //nolint:gosec // just made
			tb.Error(err)
		}
	})
	GiveToServers(tb, dir)
	return dir
}

// GiveToServers makes files and folders those of ServersUser.
func GiveToServers(tb testing.TB, names ...string) {
	tb.Helper()
	owner := ServersUser(tb)
	if owner == nil {
		return
	}
	for _, name := range names {
		if err := os.Chown(name, int(owner.Uid), int(owner.Gid)); err != nil { //nolint:gosec // of the test
			tb.Fatal(err)
		}
	}
}

// ServersUser returns who runs the servers: PostgreSQL's user if this process is root's,
// else nil, which is this user.
func ServersUser(tb testing.TB) *syscall.Credential {
	tb.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	owner, err := user.Lookup(serversUser)
	if err != nil {
		tb.Fatal(err)
	}
	uid, uidErr := strconv.ParseUint(owner.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(owner.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr); err != nil {
		tb.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}
