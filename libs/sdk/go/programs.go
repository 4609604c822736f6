package drydock

import (
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	drydockv1 "drydock.dev/drydock/v1"
)

// Program says what to run: either Language with Source or Files, to 10 MiB in all, or Template with Command.
type Program struct {
	// Language is a name of Client.Languages.
	Language string
	// Template is an id of Client.Templates.
	Template string
	// Command is the program and its arguments, run in the directory of the files, without a shell. At most 1,024, 128 KiB in all.
	Command []string
	Source  string
	// Files beside each other, by name: relative, without .., to 255 bytes. At most 1,000.
	Files map[string][]byte
	// Entrypoint is which of Files to run. Default: the language's own, such as main.py, else that with a main method, else the first.
	Entrypoint string
	// CompilerOptions are added to the compiler's arguments. At most 64.
	CompilerOptions []string
	// Arguments of the program. At most 1,024, 128 KiB in all.
	Arguments []string
	// Environment of the program, not of its compiler. At most 128, names [A-Za-z_][A-Za-z0-9_]*, 32 KiB in all.
	Environment map[string]string
	// Stdin to 10 MiB.
	Stdin string
	// ExpectedOutput lets the verdict say whether standard output matched. Default nil: exit code 0 is enough.
	ExpectedOutput *string
	// Comparison says how output is held against what was expected. Default TrailingSpace.
	Comparison Comparison
	// CaseInsensitive takes capital and small letters for the same, whatever the comparison.
	CaseInsensitive bool
	// FloatTolerance of Float, absolute or relative. To 1; default 1e-6.
	FloatTolerance float64
	// Limits of the run.
	Limits Limits
	// CompileLimits of the compile step: wall time, CPU time and output alone. Default 30 s, 30 s, 1 MiB.
	CompileLimits Limits
	// Isolation from the next execution. Default: what is offered, Cell first.
	Isolation Isolation
	// TestCases instead of Stdin and ExpectedOutput: each is run by itself, after one compile step. At most 100, 10 MiB in all, and
	// an hour in all by their time limits.
	TestCases []TestCase
	// StopAtFirstFailure runs no test case after one that was not accepted.
	StopAtFirstFailure bool
	// Checker decides instead of Comparison.
	Checker *Checker
	// Priority in the queue, among the organisation's own: higher goes first. -100 to 100. Run and Stream refuse one.
	Priority int
}

// Comparison of a program's output with what was expected.
type Comparison string

const (
	// TrailingSpace: equal but for blanks at the ends of lines and blank lines at the end.
	TrailingSpace Comparison = "TRAILING_SPACE"
	// Exact: byte for byte.
	Exact Comparison = "EXACT"
	// Tokens: the same words in the same order, whatever space is between them.
	Tokens Comparison = "TOKENS"
	// Float: as Tokens, and words that are numbers on both sides may differ by FloatTolerance.
	Float Comparison = "FLOAT"
)

// Isolation is what keeps one execution from the next.
type Isolation string

const (
	// Cell: fresh namespaces in a sandbox of the organisation.
	Cell Isolation = "CELL"
	// OwnSandbox: a sandbox of its own, destroyed afterwards.
	OwnSandbox Isolation = "SANDBOX"
)

// TestCase is one input of a program, and what should come of it.
type TestCase struct {
	// Name is given back with the result. To 64 characters.
	Name string
	// Stdin to 10 MiB.
	Stdin string
	// ExpectedOutput nil: exit code 0 is enough, unless there is a checker.
	ExpectedOutput *string
	// Limits of time, memory and output. Default: those of the program.
	Limits Limits
}

// Checker is a program that decides whether an output is right: the arguments are files input, output and expected. Exit code 0
// accepts, 1 is a wrong answer, any other end is INTERNAL_ERROR. Either Source or Files, to 1 MiB in all.
type Checker struct {
	Language   string
	Source     string
	Files      map[string][]byte
	Entrypoint string
	// WallTime of one run, to 300 s. Default 10 s.
	WallTime time.Duration
}

// request makes the message of a program; those of other calls have the same fields.
func (p *Program) request() (*drydockv1.SubmitExecutionRequest, error) {
	comparison, known := drydockv1.Comparison_value[first(string(p.Comparison), "COMPARISON_UNSPECIFIED")]
	if !known {
		return nil, invalid("there is no comparison %q", p.Comparison)
	}
	isolation, known := drydockv1.Isolation_value[first(string(p.Isolation), "ISOLATION_UNSPECIFIED")]
	if !known {
		return nil, invalid("there is no isolation %q", p.Isolation)
	}
	request := &drydockv1.SubmitExecutionRequest{
		Language:               p.Language,
		Template:               p.Template,
		Command:                p.Command,
		Source:                 p.Source,
		Files:                  sourceFiles(p.Files),
		Entrypoint:             p.Entrypoint,
		CompilerOptions:        p.CompilerOptions,
		Arguments:              p.Arguments,
		Environment:            p.Environment,
		Stdin:                  p.Stdin,
		ExpectedOutput:         p.ExpectedOutput,
		Comparison:             drydockv1.Comparison(comparison),
		CaseInsensitive:        p.CaseInsensitive,
		FloatAbsoluteTolerance: optional(p.FloatTolerance),
		FloatRelativeTolerance: optional(p.FloatTolerance),
		Limits:                 p.Limits.message(),
		CompileLimits:          p.CompileLimits.message(),
		Isolation:              drydockv1.Isolation(isolation),
		StopAtFirstFailure:     p.StopAtFirstFailure,
		Priority:               int32(p.Priority),
		RequestId:              newRequestID(),
	}
	for _, each := range p.TestCases {
		request.TestCases = append(request.TestCases, &drydockv1.TestCase{
			Name: each.Name, Stdin: each.Stdin, ExpectedOutput: each.ExpectedOutput, Limits: each.Limits.message(),
		})
	}
	if c := p.Checker; c != nil {
		request.Checker = &drydockv1.Checker{
			Language: c.Language, Source: c.Source, Files: sourceFiles(c.Files), Entrypoint: c.Entrypoint,
			WallTime: durationMessage(c.WallTime),
		}
	}
	return request, nil
}

// immediate fills the request of a call that runs a program now.
func (p *Program) immediate(request proto.Message) error {
	if p.Priority != 0 {
		return invalid("Priority is of programs in the queue alone")
	}
	submission, err := p.request()
	if err != nil {
		return err
	}
	to := request.ProtoReflect()
	fields := to.Descriptor().Fields()
	submission.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		to.Set(fields.ByNumber(field.Number()), value)
		return true
	})
	return nil
}

// sourceFiles are in the order of their names: the same program makes the same request.
func sourceFiles(files map[string][]byte) []*drydockv1.SourceFile {
	var messages []*drydockv1.SourceFile
	for _, name := range slices.Sorted(maps.Keys(files)) {
		content := &drydockv1.SourceFile_Data{Data: files[name]}
		messages = append(messages, &drydockv1.SourceFile{Name: name, Content: content})
	}
	return messages
}
