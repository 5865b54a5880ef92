package storage

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// These, in the environment of the test binary, make it the child that is killed when its
// rotation has made this many transactions.
const (
	rotateCrashURL   = "STORAGE_ROTATE_URL"
	rotateCrashAfter = "STORAGE_ROTATE_AFTER"
)

// rotateUntilKilled is the child.
func rotateUntilKilled(url string) int {
	var tb testing.T
	options := rotateOptions(url, testKeys(&tb, 2, 1))
	left, err := strconv.Atoi(os.Getenv(rotateCrashAfter))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	options.checkpoint = func() {
		if left--; left == 0 {
			_, _ = fmt.Fprintln(os.Stdout, "now")
			select {}
		}
	}
	_, err = Rotate(context.Background(), options)
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// killRotation kills a rotation after some transactions.
func killRotation(t *testing.T, url string, after int) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), rotateCrashURL+"="+url, rotateCrashAfter+"="+strconv.Itoa(after))
	child.Stderr = os.Stderr
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(output).ReadString('\n'); err != nil || strings.TrimSpace(line) != "now" {
		t.Fatalf("the child said %q, %v", line, err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
}

// Each value of a killed rotation can be read with both keys, and the next rotation seals
// the rest only.
func TestRotateIsKilled(t *testing.T) {
	url := rotateShop(t)
	before := sealedContents(t, url, testKeys(t, 1))
	want := rotated(before, testKeys(t, 1), testKeys(t, 2))
	count := func(contents map[string]string) (newest int64) {
		for name, content := range contents {
			switch content {
			case want[name]:
				newest++
			case before[name]:
			default:
				t.Errorf("%s holds %q", name, content)
			}
		}
		return newest
	}
	newest := int64(0)
	for range 4 {
		killRotation(t, url, 2)
		now := count(sealedContents(t, url, testKeys(t, 2, 1)))
		if now < newest+2 || now >= int64(len(want)) {
			t.Errorf("%d of %d values are sealed anew, before %d", now, len(want), newest)
		}
		newest = now
	}
	result, err := Rotate(t.Context(), rotateOptions(url, testKeys(t, 2, 1)))
	if err != nil || result.Sealed != int64(len(want))-newest || result.Since.IsZero() {
		t.Errorf("got %+v, %v after %d of %d values", result, err, newest, len(want))
	}
	equal(t, "contents", want, sealedContents(t, url, testKeys(t, 2)))
}
