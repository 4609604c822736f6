// The loop of an agent: it writes a program, runs its test, and mends the program until the test passes.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"drydock.dev/drydock"
)

const test = `from program import add
assert add(2, 3) == 5, "add(2, 3) is not 5"
print("passed")
`

// In place of a model: each answer is the next try.
var tries = []string{"def add(a, b): return a", "def add(a, b): return a + b"}

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	client, err := drydock.New(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	sandbox, err := client.CreateSandbox(ctx, "python", drydock.Lifetime(10*time.Minute))
	if err != nil {
		return err
	}
	defer sandbox.Close()
	fsys := sandbox.FS().WithContext(ctx)
	if err := fsys.WriteFile("test.py", []byte(test), 0o644); err != nil {
		return err
	}
	for i, program := range tries {
		if err := fsys.WriteFile("program.py", []byte(program), 0o644); err != nil {
			return err
		}
		said, passed, err := tryOnce(ctx, sandbox)
		if err != nil {
			return err
		}
		fmt.Printf("try %d: %s\n", i+1, said)
		if passed {
			break
		}
	}
	return nil
}

// tryOnce runs the test for 30 s at most, and returns its last words.
func tryOnce(ctx context.Context, sandbox *drydock.Sandbox) (said string, passed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	output, err := sandbox.Command(ctx, "python3", "test.py").CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	if _, failed := errors.AsType[*drydock.ExitError](err); failed {
		return lines[len(lines)-1], false, nil
	}
	return lines[len(lines)-1], err == nil, err
}
