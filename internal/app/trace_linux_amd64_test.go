package app_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"hstockbot/internal/sandbox/testworld"
)

// What a process leaves in files is what it has asked the kernel for. So a process that is
// killed before each of its calls that change a file was killed everywhere.

// Linux: ptrace(2) and wait(2).
const (
	ptraceSyscallInfo = 0x420e
	ptraceExitKill    = 0x100000
	syscallEntry      = 1
	syscallStop       = syscall.SIGTRAP | 0x80
	waitAllThreads    = 0x40000000
)

// entryInfo is struct ptrace_syscall_info.
type entryInfo struct {
	op     uint8
	_      [3]byte
	_      uint32
	_, _   uint64
	number uint64
	args   [6]uint64
	_      [3]uint64
}

// fileCalls are the calls that change files, with the argument that is the (new) path; -1
// where the first argument is a descriptor.
var fileCalls = map[uint64]struct {
	name string
	path int
}{
	syscall.SYS_WRITE: {"write", -1}, syscall.SYS_PWRITE64: {"write", -1}, syscall.SYS_FTRUNCATE: {"truncate", -1}, syscall.SYS_TRUNCATE: {"truncate", 0},
	syscall.SYS_FSYNC: {"sync", -1}, syscall.SYS_FDATASYNC: {"sync", -1}, syscall.SYS_RENAME: {"rename", 1}, syscall.SYS_RENAMEAT: {"rename", 3},
	syscall.SYS_LINK: {"link", 1}, syscall.SYS_LINKAT: {"link", 3}, syscall.SYS_UNLINK: {"unlink", 0}, syscall.SYS_UNLINKAT: {"unlink", 1},
	syscall.SYS_MKDIR: {"mkdir", 0}, syscall.SYS_MKDIRAT: {"mkdir", 1},
}

// digits are what differs in the names of temporary files.
var digits = regexp.MustCompile(`[0-9]{6,}[-0-9TZ]*`)

// traced is a process of which each call that changes a file in a folder is an event.
type traced struct {
	pid    int
	folder string
	events *events
}

// trace runs the test binary with these settings. It returns when the process has ended.
func trace(t *testing.T, env []string, folder string, e *events) {
	t.Helper()
	output, err := os.CreateTemp(t.TempDir(), "output")
	testworld.Must(t, err)
	defer func() { _ = output.Close() }()
	runtime.LockOSThread() // a process is traced by a thread
	defer runtime.UnlockOSThread()
	pid, err := syscall.ForkExec(os.Args[0], os.Args[:1], &syscall.ProcAttr{
		Env: env, Files: []uintptr{0, output.Fd(), output.Fd()}, Sys: &syscall.SysProcAttr{Ptrace: true, Setpgid: true},
	})
	testworld.Must(t, err)
	p := &traced{pid: pid, folder: folder, events: e}
	e.kill = func() { _ = syscall.Kill(pid, syscall.SIGKILL) }
	if status := p.run(t); status.Exited() && status.ExitStatus() != 0 {
		text, _ := os.ReadFile(output.Name())
		t.Errorf("the process ended with %d: %s", status.ExitStatus(), text)
	}
}

func (p *traced) run(t *testing.T) (status syscall.WaitStatus) {
	t.Helper()
	var stop syscall.WaitStatus
	_, err := syscall.Wait4(p.pid, &stop, 0, nil)
	testworld.Must(t, err)
	testworld.Must(t, syscall.PtraceSetOptions(p.pid, syscall.PTRACE_O_TRACESYSGOOD|syscall.PTRACE_O_TRACECLONE|ptraceExitKill))
	for thread := p.pid; ; {
		signal := 0
		if stop.Stopped() {
			switch at := stop.StopSignal(); {
			case at == syscallStop:
				if name := p.call(thread); name != "" && p.events.event(name) {
					signal = int(syscall.SIGKILL)
				}
			case at != syscall.SIGTRAP && at != syscall.SIGSTOP:
				signal = int(at)
			}
			_ = syscall.PtraceSyscall(thread, signal) // it may have been killed
		}
		thread, err = syscall.Wait4(-p.pid, &stop, waitAllThreads, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return status // all threads have ended
		}
		if thread == p.pid && !stop.Stopped() {
			status = stop
		}
	}
}

// call names the call that a thread begins, "" if it changes no file of the folder.
func (p *traced) call(thread int) string {
	var info entryInfo
	_, _, errno := syscall.Syscall6(syscall.SYS_PTRACE, ptraceSyscallInfo, uintptr(thread), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	call, ok := fileCalls[info.number]
	if errno != 0 || info.op != syscallEntry || !ok {
		return ""
	}
	path := ""
	if call.path < 0 {
		path, _ = os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", p.pid, info.args[0])) // "" for none
	} else {
		path = peek(thread, uintptr(info.args[call.path]))
	}
	if !strings.HasPrefix(path, p.folder) {
		return ""
	}
	return call.name + " " + digits.ReplaceAllString(filepath.Base(path), "N")
}

// peek reads the text at an address of a thread.
func peek(thread int, at uintptr) string {
	var text []byte
	for part := make([]byte, 8); ; at += uintptr(len(part)) {
		if _, err := syscall.PtracePeekData(thread, at, part); err != nil {
			return ""
		}
		if end := bytes.IndexByte(part, 0); end >= 0 {
			return string(append(text, part[:end]...))
		}
		text = append(text, part...)
	}
}
