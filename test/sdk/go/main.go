// Runs every scenario of the SDKs, several at once, and prints a line of JSON for each that ends.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

const (
	sideBySide   = 6
	scenarioTime = time.Minute
)

type ended struct {
	ID           string  `json:"id"`
	Milliseconds float64 `json:"milliseconds"`
	Error        string  `json:"error,omitempty"`
}

func main() {
	if len(os.Args) > 1 {
		child(os.Args[1])
		return
	}
	scenarios := map[string]func(*scenario){}
	for _, group := range []map[string]func(*scenario){clients, programs, judging, sandboxes, files, commands, organizations, faults} {
		maps.Copy(scenarios, group)
	}
	wanted := slices.Sorted(maps.Keys(scenarios))
	if only := os.Getenv("SCENARIO"); only != "" {
		wanted = []string{only}
	}
	ids := make(chan string)
	var running sync.WaitGroup
	var printing sync.Mutex
	for range sideBySide {
		running.Go(func() {
			for id := range ids {
				line, _ := json.Marshal(run(id, scenarios[id]))
				printing.Lock()
				fmt.Println(string(line))
				printing.Unlock()
			}
		})
	}
	for _, id := range wanted {
		ids <- id
	}
	close(ids)
	running.Wait()
}

// run runs a scenario in a goroutine of its own, which a failed expectation ends.
func run(id string, play func(*scenario)) ended {
	ctx, cancel := context.WithTimeout(context.Background(), scenarioTime)
	defer cancel()
	s := &scenario{ctx: ctx}
	began, over := time.Now(), make(chan struct{})
	go func() {
		defer close(over)
		defer s.clean()
		defer func() {
			if panicked := recover(); panicked != nil {
				s.failure = fmt.Sprintf("%v\n%s", panicked, debug.Stack())
			}
		}()
		play(s)
	}()
	select {
	case <-over:
	case <-time.After(scenarioTime + 10*time.Second):
		return ended{ID: id, Error: "it does not end"}
	}
	return ended{id, float64(time.Since(began).Microseconds()) / 1_000, cmp.Or(s.failure, s.unclean)}
}
