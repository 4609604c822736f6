package control_test

import (
	"testing"

	"drydock.dev/agent/internal/sandboxtest"
)

func TestMain(m *testing.M) { sandboxtest.Main(m) }
