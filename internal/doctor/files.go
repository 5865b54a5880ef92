package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hstockbot/storage"
)

// fileFacts are about the files of a SQLite database.
type fileFacts struct {
	err       error
	folder    string
	noFolder  bool     // it does not exist
	problems  []string // about files and folder
	free      int64    // bytes of the disk; -1 = not known
	size      int64    // bytes of the database
	locked    bool
	lockedErr error
}

// readFiles looks at the database file at path, the files beside it, and their folder.
func readFiles(path string, isLocked func(string) (bool, error)) fileFacts {
	f := fileFacts{folder: filepath.Dir(path), free: -1}
	folder, err := os.Stat(f.folder)
	if errors.Is(err, fs.ErrNotExist) {
		f.noFolder = true
		return f
	}
	if err != nil {
		f.err = err
		return f
	}
	if !folder.IsDir() {
		f.err = fmt.Errorf("%s is no folder", f.folder)
		return f
	}
	f.lookAtFolder(folder)
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		f.size = info.Size()
		f.locked, f.lockedErr = isLocked(path)
	}
	f.lookAtFiles(path)
	f.free = freeBytes(f.folder)
	return f
}

func (f *fileFacts) lookAtFolder(info fs.FileInfo) {
	switch mode := storage.OthersMay(info); {
	case mode&0o022 != 0:
		f.problem("others may change the files in the folder %s (mode %04o)", f.folder, info.Mode().Perm())
	case mode&0o044 != 0 && isReachable(f.folder):
		f.problem("others may list the folder %s (mode %04o)", f.folder, info.Mode().Perm())
	}
	if err := writable(f.folder); err != nil {
		f.problem("this user can't make files in the folder %s (%w)", f.folder, err)
	}
}

func (f *fileFacts) lookAtFiles(path string) {
	owner, first := 0, ""
	for _, name := range []string{path, path + "-wal", path + "-shm", storage.SecretFile(path)} {
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			continue // what must exist is judged elsewhere
		}
		if storage.OthersMay(info) != 0 {
			f.problem("others may read %s (mode %04o)", name, info.Mode().Perm())
		}
		if first == "" {
			owner, first = fileOwner(info), name
		} else if fileOwner(info) != owner {
			f.problem("%s belongs to another user than %s", name, first)
		}
		if name == storage.SecretFile(path) {
			continue // it is only read
		}
		if err := writable(name); err != nil {
			f.problem("this user can't write to %s (%w)", name, err)
		}
	}
}

func (f *fileFacts) problem(text string, args ...any) {
	f.problems = append(f.problems, fmt.Errorf(text, args...).Error())
}

// isReachable reports whether others may enter the folder that a folder is in, and all
// above.
func isReachable(folder string) bool {
	path, err := filepath.Abs(folder)
	if err != nil {
		return true
	}
	for above := filepath.Dir(path); ; above = filepath.Dir(above) {
		if info, err := os.Stat(above); err == nil && info.Mode().Perm()&0o011 == 0 {
			return false
		}
		if above == filepath.Dir(above) {
			return true
		}
	}
}

const (
	leastFree = 256 << 20 // bytes, beside what rewriting the database needs
	mebibyte  = 1 << 20
)

func judgeFiles(f *facts) (found findings) {
	switch {
	case !f.database.asked || f.path == "":
	case f.files.err != nil:
		found.add(Bad, "set DATABASE_URL to a file that the user of the bot can use", "the files can't be looked at: %v", f.files.err)
	case f.files.noFolder:
		found.add(Info, "nothing to do: the bot makes it, for its user only", "the folder %s does not exist yet", f.files.folder)
	case len(f.files.problems) == 0:
		found.ok("files and folder are for the user of the bot only")
	}
	for _, problem := range f.files.problems {
		found.add(Bad, "let the user of the bot own the folder and its files; chmod 700 the folder, chmod 600 the files; run this command as that user", "%s", problem)
	}
	return found
}

func judgeDisk(f *facts) (found findings) {
	if !f.database.asked || f.path == "" || f.files.err != nil || f.files.noFolder {
		return nil
	}
	switch need := f.files.size + leastFree; {
	case f.files.free < 0:
		found.add(Info, "", "free disk space is not known on this system")
	case f.files.free < need:
		found.add(Bad, fmt.Sprintf("make %d MiB free: rewriting the database at night needs as much as it has, and a full disk stops the bot", need/mebibyte),
			"only %d MiB are free for %s", f.files.free/mebibyte, f.files.folder)
	default:
		found.ok("%d MiB are free for %s", f.files.free/mebibyte, f.files.folder)
	}
	return found
}
