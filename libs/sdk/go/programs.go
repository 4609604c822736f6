package drydock

import (
	"maps"
	"slices"

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
	// BlobFiles are further files beside them: names and the SHA-256 of blobs, to 256 MiB each.
	BlobFiles map[string]string
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
	// StdinBytes instead of Stdin: any bytes, to 10 MiB.
	StdinBytes []byte
	// StdinBlob instead of Stdin: the SHA-256 of a blob.
	StdinBlob string
	// ExpectedOutput lets the verdict say whether standard output matched. Default nil: exit code 0 is enough.
	ExpectedOutput *string
	// ExpectedOutputBlob instead of ExpectedOutput: the SHA-256 of a blob, to 10 MiB.
	ExpectedOutputBlob string
	// Comparison says how output is held against what was expected. Default TrailingSpace.
	Comparison Comparison
	// CaseInsensitive takes capital and small letters for the same, whatever the comparison.
	CaseInsensitive bool
	// FloatAbsoluteTolerance of Float: how far numbers may be apart. From 0 to 1e9. Default nil: 1e-6, or 0 where only the relative one
	// is set.
	FloatAbsoluteTolerance *float64
	// FloatRelativeTolerance of Float: the same, as a part of the number that was expected. From 0 to 1. Default nil: 1e-6, or 0 where
	// only the absolute one is set.
	FloatRelativeTolerance *float64
	// FloatTolerance sets both tolerances, where neither is set by itself. Above 0, at most 1.
	//
	// Deprecated: set FloatAbsoluteTolerance, FloatRelativeTolerance, or both.
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
	// TestSet is the id of a test set, instead of the test cases and of all that says how they are judged.
	TestSet string
	// Groups of test cases that earn points together. At most 100.
	Groups []TestGroup
	// Parallelism runs at most this many test cases side by side, as far as there is room, with the same results in the same order;
	// Stream runs them one after the other. 1 to 16; default 1.
	Parallelism int
	// StopAtFirstFailure runs no test case after one that was not accepted.
	StopAtFirstFailure bool
	// Checker decides instead of Comparison.
	Checker *Checker
	// Interactor talks with the program, instead of a checker and a comparison.
	Interactor *Interactor
	// KeepTranscript keeps the first 64 KiB of the talk with an interactor, for Job.Output of Transcript.
	KeepTranscript bool
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
	// Float: as Tokens, and words that are numbers on both sides may differ by the tolerances.
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

// request makes the message of a program; those of other calls have the same fields.
func (p *Program) request() (*drydockv1.SubmitExecutionRequest, error) {
	comparison, err := valueOf[drydockv1.Comparison](drydockv1.Comparison_value, "comparison", p.Comparison)
	if err != nil {
		return nil, err
	}
	isolation, err := valueOf[drydockv1.Isolation](drydockv1.Isolation_value, "isolation", p.Isolation)
	if err != nil {
		return nil, err
	}
	absolute, relative := p.tolerances()
	request := &drydockv1.SubmitExecutionRequest{
		Language:               p.Language,
		Template:               p.Template,
		Command:                p.Command,
		Source:                 p.Source,
		Files:                  sourceFiles(p.Files, p.BlobFiles),
		Entrypoint:             p.Entrypoint,
		CompilerOptions:        p.CompilerOptions,
		Arguments:              p.Arguments,
		Environment:            p.Environment,
		Stdin:                  p.Stdin,
		StdinBytes:             p.StdinBytes,
		StdinBlob:              p.StdinBlob,
		ExpectedOutput:         p.ExpectedOutput,
		ExpectedOutputBlob:     p.ExpectedOutputBlob,
		Comparison:             comparison,
		CaseInsensitive:        p.CaseInsensitive,
		FloatAbsoluteTolerance: absolute,
		FloatRelativeTolerance: relative,
		Limits:                 p.Limits.message(),
		CompileLimits:          p.CompileLimits.message(),
		Isolation:              isolation,
		TestSet:                p.TestSet,
		Parallelism:            int32(p.Parallelism),
		StopAtFirstFailure:     p.StopAtFirstFailure,
		KeepTranscript:         p.KeepTranscript,
		Priority:               int32(p.Priority),
		RequestId:              newRequestID(),
	}
	if err := p.judges(request); err != nil {
		return nil, err
	}
	return request, nil
}

func (p *Program) tolerances() (absolute, relative *float64) {
	if p.FloatAbsoluteTolerance == nil && p.FloatRelativeTolerance == nil {
		return optional(p.FloatTolerance), optional(p.FloatTolerance)
	}
	return p.FloatAbsoluteTolerance, p.FloatRelativeTolerance
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
func sourceFiles(files map[string][]byte, blobs map[string]string) []*drydockv1.SourceFile {
	var messages []*drydockv1.SourceFile
	for _, name := range slices.Sorted(maps.Keys(files)) {
		content := &drydockv1.SourceFile_Data{Data: files[name]}
		messages = append(messages, &drydockv1.SourceFile{Name: name, Content: content})
	}
	for _, name := range slices.Sorted(maps.Keys(blobs)) {
		content := &drydockv1.SourceFile_Blob{Blob: blobs[name]}
		messages = append(messages, &drydockv1.SourceFile{Name: name, Content: content})
	}
	return messages
}

func toFiles(messages []*drydockv1.SourceFile) (files map[string][]byte, blobs map[string]string) {
	files = map[string][]byte{}
	for _, m := range messages {
		switch content := m.GetContent().(type) {
		case *drydockv1.SourceFile_Text:
			files[m.GetName()] = []byte(content.Text)
		case *drydockv1.SourceFile_Blob:
			if blobs == nil {
				blobs = map[string]string{}
			}
			blobs[m.GetName()] = content.Blob
		default:
			files[m.GetName()] = m.GetData()
		}
	}
	return files, blobs
}
