// Package disk breaks the disk under SQLite for tests, file by file: it stands between SQLite
// and its layer for files (VFS), and answers in the place of a disk. Locks, reads and what Go
// itself does with files are not changed.
package disk

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Fault is what is wrong with a disk.
type Fault int

const (
	// Full lets no file grow.
	Full Fault = iota + 1
	// ReadOnly is a disk that the kernel has made read-only while its files were open.
	ReadOnly
	// Unsynced fails when a transaction is made durable: what was written before stands in
	// the file, as it does after a COMMIT whose answer is lost.
	Unsynced
)

// faults are those of the disks of databases, by the path of the database.
var faults sync.Map // of Fault

// Break breaks the disk of a database until Mend.
func Break(database string, fault Fault) { faults.Store(database, fault) }

// Mend ends what Break has begun.
func Mend(database string) { faults.Delete(database) }

// waits is how many want SQLite to wait by the bubble's clock.
var waits atomic.Int64

// WaitInBubble lets SQLite wait for locks by the clock of the bubble that it is called in, until
// end is called. Otherwise the bubble's time stands still meanwhile.
func WaitInBubble() (end func()) {
	waits.Add(1)
	return func() { waits.Add(-1) }
}

// Install makes all connections of this process use the package that are opened from now on.
var Install = sync.OnceFunc(func() {
	tls := libc.NewTLS()
	defer tls.Close()
	layer = *at[sqlite3.Tsqlite3_vfs](sqlite3.Xsqlite3_vfs_find(tls, 0))
	openFile, sleepReally = function[open](layer.FxOpen), function[sleep](layer.FxSleep)
	layer.FxOpen, layer.FxSleep = pointer[open](xOpen), pointer[sleep](xSleep)
	if code := sqlite3.Xsqlite3_vfs_register(tls, address(&layer), 1); code != sqlite3.SQLITE_OK {
		panic("disk: the layer is refused")
	}
})

// The functions of SQLite's interface.
type (
	open     = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, flagsOut uintptr) int32
	write    = func(tls *libc.TLS, file, from uintptr, amount int32, offset int64) int32
	sleep    = func(tls *libc.TLS, vfs uintptr, microseconds int32) int32
	truncate = func(tls *libc.TLS, file uintptr, size int64) int32
	fsync    = func(tls *libc.TLS, file uintptr, flags int32) int32
	fileSize = func(tls *libc.TLS, file, size uintptr) int32
)

var (
	layer       sqlite3.Tsqlite3_vfs
	openFile    open
	sleepReally sleep

	mu      sync.Mutex
	methods = map[uintptr]*sqlite3.Tsqlite3_io_methods{} // ours, by those that they stand for
	files   = map[uintptr]*file{}                        // by SQLite's
)

// file is a file that is open.
type file struct {
	database string
	write    write
	truncate truncate
	sync     fsync
	size     fileSize
}

// function returns the function at an address, as SQLite calls it, and pointer its address.
func function[F any](address uintptr) F { return *(*F)(unsafe.Pointer(&address)) } //nolint:gosec // SQLite's interface is made of addresses
func pointer[F any](f F) uintptr        { return *(*uintptr)(unsafe.Pointer(&f)) } //nolint:gosec // the same

// at returns what SQLite has at an address, which is none of Go's heap, and address where a value is.
func at[T any](address uintptr) *T    { return *(**T)(unsafe.Pointer(&address)) } //nolint:gosec // the same
func address[T any](value *T) uintptr { return uintptr(unsafe.Pointer(value)) }   //nolint:gosec // the same

func xOpen(tls *libc.TLS, vfs, name, opened uintptr, flags int32, flagsOut uintptr) int32 {
	code := openFile(tls, vfs, name, opened, flags, flagsOut)
	if code != sqlite3.SQLITE_OK || name == 0 {
		return code
	}
	mu.Lock()
	defer mu.Unlock()
	table := at[sqlite3.Tsqlite3_file](opened).FpMethods
	theirs := at[sqlite3.Tsqlite3_io_methods](table)
	ours := methods[table]
	if ours == nil {
		ours = new(*theirs)
		ours.FxWrite, ours.FxTruncate, ours.FxSync = pointer[write](xWrite), pointer[truncate](xTruncate), pointer[fsync](xSync)
		methods[table] = ours
	}
	database := strings.TrimSuffix(strings.TrimSuffix(libc.GoString(name), "-wal"), "-journal")
	files[opened] = &file{
		database, function[write](theirs.FxWrite), function[truncate](theirs.FxTruncate), function[fsync](theirs.FxSync), function[fileSize](theirs.FxFileSize),
	}
	at[sqlite3.Tsqlite3_file](opened).FpMethods = address(ours)
	return code
}

// xSleep is what SQLite waits for locks with.
func xSleep(tls *libc.TLS, vfs uintptr, microseconds int32) int32 {
	if waits.Load() == 0 {
		return sleepReally(tls, vfs, microseconds)
	}
	<-time.After(time.Duration(microseconds) * time.Microsecond)
	return microseconds
}

// broken returns an open file and what is wrong with its disk.
func broken(opened uintptr) (*file, Fault) {
	mu.Lock()
	defer mu.Unlock()
	f := files[opened]
	fault, _ := faults.Load(f.database)
	found, _ := fault.(Fault)
	return f, found
}

// xWrite answers as SQLite does where the kernel answers ENOSPC and EROFS.
func xWrite(tls *libc.TLS, opened, from uintptr, amount int32, offset int64) int32 {
	f, fault := broken(opened)
	switch fault {
	case Full:
		room := tls.Alloc(8)
		defer tls.Free(8)
		if code := f.size(tls, opened, room); code != sqlite3.SQLITE_OK {
			return code
		}
		if offset+int64(amount) > *at[int64](room) {
			return sqlite3.SQLITE_FULL
		}
	case ReadOnly:
		return sqlite3.SQLITE_IOERR_WRITE
	case Unsynced:
	}
	return f.write(tls, opened, from, amount, offset)
}

func xTruncate(tls *libc.TLS, opened uintptr, size int64) int32 {
	f, fault := broken(opened)
	if fault == ReadOnly {
		return sqlite3.SQLITE_IOERR_TRUNCATE
	}
	return f.truncate(tls, opened, size)
}

func xSync(tls *libc.TLS, opened uintptr, flags int32) int32 {
	f, fault := broken(opened)
	if fault == Unsynced {
		return sqlite3.SQLITE_IOERR_FSYNC
	}
	return f.sync(tls, opened, flags)
}
