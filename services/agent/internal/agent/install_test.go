package agent

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestInstallMakesACopyThatCanOnlyBeExecuted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent")
	must(t, install(path))
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode() != 0o111 {
		t.Errorf("mode %v", info.Mode())
	}
	own, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	copied, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(own, copied) {
		t.Error("another program")
	}
	if install(path) == nil {
		t.Error("it replaced what was there")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
