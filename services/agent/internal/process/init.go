package process

import (
	"syscall"

	"drydock.dev/agent/internal/spawn"
)

// Init is the first process of a PID namespace: the namespace ends with it.
type Init struct {
	PID int
	// Gone is closed when nothing of the namespace is left.
	Gone   <-chan struct{}
	reaper *reaper
}

// StartInit makes one, with spawn.Attributes that name its namespaces.
func (t *Table) StartInit(program string, arguments []string, attributes *spawn.Attributes) (*Init, error) {
	r := t.reaper
	r.mutex.Lock()
	child, err := spawn.Start(program, arguments, attributes)
	gone := make(chan struct{})
	if err == nil {
		r.inits[child.Pid] = gone
	}
	r.mutex.Unlock()
	if err != nil {
		return nil, err
	}
	return &Init{PID: child.Pid, Gone: gone, reaper: r}, child.Wait()
}

// Kill ends it, unless it has ended.
func (i *Init) Kill() {
	i.reaper.mutex.Lock()
	defer i.reaper.mutex.Unlock()
	if i.reaper.inits[i.PID] != nil {
		_ = syscall.Kill(i.PID, syscall.SIGKILL)
	}
}
