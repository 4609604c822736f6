package drydock

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	drydockv1 "drydock.dev/drydock/v1"
)

// Limits say what a sandbox or a program may use. What is zero takes the default of the template or the language; what is out of
// range is refused with ErrInvalidArgument. Nothing means no limit.
type Limits struct {
	// WallTime of one run by the clock, executions only. To 300 s; default 10 s.
	WallTime time.Duration
	// CPUTime of one run with all that it starts, executions only. To 300 s; default 10 s.
	CPUTime time.Duration
	// MemoryBytes of everything together, files in memory included; there is no swap. 64 MiB to 8 GiB.
	MemoryBytes int64
	// Processes and threads at one time. 16 to 4,096.
	Processes int32
	// OutputBytes of each output, executions only; a program that writes more is stopped. To 4 MiB; default 1 MiB.
	OutputBytes int64
	// DiskBytes of files in the home and in /tmp. To half of the memory.
	DiskBytes int64
	// CPUs: 0.5 is half of one. 0.05 to 16.
	CPUs float64
	// StackBytes of each process's first thread, executions only. From 64 KiB to half of the memory; default 64 MiB, or that half.
	StackBytes int64
	// FileBytes of the largest file that a program may write, executions only. Default and ceiling: DiskBytes.
	FileBytes int64
	// OpenFiles of one process, executions only. 16 to 4,096; default 1,024.
	OpenFiles int32
}

func (l Limits) message() *drydockv1.ResourceLimits {
	if l == (Limits{}) {
		return nil
	}
	return &drydockv1.ResourceLimits{
		WallTime:    durationMessage(l.WallTime),
		CpuTime:     durationMessage(l.CPUTime),
		MemoryBytes: optional(l.MemoryBytes),
		Processes:   optional(l.Processes),
		OutputBytes: optional(l.OutputBytes),
		DiskBytes:   optional(l.DiskBytes),
		Cpus:        optional(l.CPUs),
		StackBytes:  optional(l.StackBytes),
		FileBytes:   optional(l.FileBytes),
		OpenFiles:   optional(l.OpenFiles),
	}
}

func toLimits(m *drydockv1.ResourceLimits) Limits {
	return Limits{
		WallTime:    m.GetWallTime().AsDuration(),
		CPUTime:     m.GetCpuTime().AsDuration(),
		MemoryBytes: m.GetMemoryBytes(),
		Processes:   m.GetProcesses(),
		OutputBytes: m.GetOutputBytes(),
		DiskBytes:   m.GetDiskBytes(),
		CPUs:        m.GetCpus(),
		StackBytes:  m.GetStackBytes(),
		FileBytes:   m.GetFileBytes(),
		OpenFiles:   m.GetOpenFiles(),
	}
}

// Usage is what a program used, with everything that it started.
type Usage struct {
	CPUTime         time.Duration
	WallTime        time.Duration
	PeakMemoryBytes int64
	// OOMKills counts processes that the kernel ended for want of memory.
	OOMKills int
}

func toUsage(m *drydockv1.ResourceUsage) Usage {
	return Usage{
		CPUTime:         m.GetCpuTime().AsDuration(),
		WallTime:        m.GetWallTime().AsDuration(),
		PeakMemoryBytes: m.GetPeakMemoryBytes(),
		OOMKills:        int(m.GetOomKills()),
	}
}

// optional is absent where it is zero.
func optional[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}

func durationMessage(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}

// toTime is zero where there is none.
func toTime(m *timestamppb.Timestamp) time.Time {
	if m == nil {
		return time.Time{}
	}
	return m.AsTime()
}

func timeMessage(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// valueOf is the value of an enum with a name, and the unspecified one where that is empty.
func valueOf[E ~int32, T ~string](values map[string]int32, what string, name T) (E, error) {
	value, known := values[string(name)]
	if name != "" && !known {
		return 0, invalid("there is no %s %q", what, name)
	}
	return E(value), nil
}

// enum is the name of a value, and empty where it is unspecified. One that a newer server has added is its number.
func enum[T ~string](value interface{ String() string }, number int32) T {
	if number == 0 {
		return ""
	}
	return T(value.String())
}
