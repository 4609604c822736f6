package drydock

import (
	"time"

	drydockv1 "drydock.dev/drydock/v1"
)

// TestCase is one input of a program, and what should come of it.
type TestCase struct {
	// Name is given back with the result. To 64 characters, in a test set to 255.
	Name string
	// Stdin to 10 MiB.
	Stdin string
	// StdinBytes instead of Stdin: any bytes, to 10 MiB.
	StdinBytes []byte
	// StdinBlob instead of Stdin: the SHA-256 of a blob.
	StdinBlob string
	// ExpectedOutput nil: exit code 0 is enough, unless there is a checker.
	ExpectedOutput *string
	// ExpectedOutputBlob instead of ExpectedOutput: the SHA-256 of a blob, to 10 MiB.
	ExpectedOutputBlob string
	// Limits of time, memory and output. Default: those of the program.
	Limits Limits
	// Group is the name of one of the program's groups. Default: none.
	Group string
	// Points that it earns when it is accepted. From 0 to 1e9. Default nil: the points of its group, divided by the number of its cases
	// where these are summed; without a group 0.
	Points *float64
}

func (t TestCase) message() *drydockv1.TestCase {
	return &drydockv1.TestCase{
		Name:               t.Name,
		Stdin:              t.Stdin,
		StdinBytes:         t.StdinBytes,
		StdinBlob:          t.StdinBlob,
		ExpectedOutput:     t.ExpectedOutput,
		ExpectedOutputBlob: t.ExpectedOutputBlob,
		Limits:             t.Limits.message(),
		Group:              t.Group,
		Points:             t.Points,
	}
}

func toTestCase(m *drydockv1.TestCase) TestCase {
	return TestCase{
		Name:               m.GetName(),
		Stdin:              m.GetStdin(),
		StdinBytes:         m.GetStdinBytes(),
		StdinBlob:          m.GetStdinBlob(),
		ExpectedOutput:     m.ExpectedOutput,
		ExpectedOutputBlob: m.GetExpectedOutputBlob(),
		Limits:             toLimits(m.GetLimits()),
		Group:              m.GetGroup(),
		Points:             m.Points,
	}
}

// Aggregation is how the cases of a group make its score.
type Aggregation string

const (
	// AllOrNothing: the group's points if all its cases were accepted, else none.
	AllOrNothing Aggregation = "ALL_OR_NOTHING"
	// Min: the lowest score of its cases.
	Min Aggregation = "MIN"
	// Sum of its cases' scores.
	Sum Aggregation = "SUM"
)

// OnFailure is what a case that scored nothing means for those after it in its group.
type OnFailure string

const (
	// ContinueGroup: they are run all the same.
	ContinueGroup OnFailure = "CONTINUE"
	// StopGroup: they are skipped.
	StopGroup OnFailure = "STOP"
)

// TestGroup has test cases that earn points together.
type TestGroup struct {
	// Name to which cases and other groups refer. 1 to 64 characters, once in a program.
	Name string
	// Points are the most that it earns. From 0 to 1e9. Default nil: what its cases can earn.
	Points *float64
	// Aggregation default AllOrNothing.
	Aggregation Aggregation
	// OnFailure default ContinueGroup.
	OnFailure OnFailure
	// DependsOn names groups that are run before it. Where a case of theirs was not accepted, its own are skipped. At most 100.
	DependsOn []string
}

func (g TestGroup) message() (*drydockv1.TestGroup, error) {
	aggregation, err := valueOf[drydockv1.TestGroup_Aggregation](drydockv1.TestGroup_Aggregation_value, "aggregation", g.Aggregation)
	if err != nil {
		return nil, err
	}
	onFailure, err := valueOf[drydockv1.TestGroup_OnFailure](drydockv1.TestGroup_OnFailure_value, "OnFailure", g.OnFailure)
	if err != nil {
		return nil, err
	}
	return &drydockv1.TestGroup{
		Name: g.Name, Points: g.Points, Aggregation: aggregation, OnFailure: onFailure, DependsOn: g.DependsOn,
	}, nil
}

func groupMessages(groups []TestGroup) ([]*drydockv1.TestGroup, error) {
	var messages []*drydockv1.TestGroup
	for _, each := range groups {
		message, err := each.message()
		if err != nil {
			return nil, err
		}
		messages = append(messages, message)
	}
	return messages, nil
}

func toTestGroup(m *drydockv1.TestGroup) TestGroup {
	return TestGroup{
		Name: m.GetName(), Points: m.Points,
		Aggregation: enum[Aggregation](m.GetAggregation(), int32(m.GetAggregation())),
		OnFailure:   enum[OnFailure](m.GetOnFailure(), int32(m.GetOnFailure())), DependsOn: m.GetDependsOn(),
	}
}

// Protocol is what a checker or an interactor is given as arguments, and what its end means. An end that is not of its protocol is
// INTERNAL_ERROR.
type Protocol string

const (
	// ProtocolDrydock: arguments input, output and expected, of an interactor input and expected. Exit code 0 accepts, 1 is a wrong
	// answer.
	ProtocolDrydock Protocol = "DRYDOCK"
	// ProtocolTestlib: arguments input, output and answer. Exit code 0 accepts; 1, 2, 4 and 8 are a wrong answer; 7 gives points.
	ProtocolTestlib Protocol = "TESTLIB"
	// ProtocolKattis: arguments input, answer and feedback/; the output on standard input. Exit code 42 accepts, 43 is a wrong answer;
	// message and points are in files, of an interactor on its standard error.
	ProtocolKattis Protocol = "KATTIS"
)

// Checker is a program that decides whether an output is right. Either Source or Files, to 1 MiB in all.
type Checker struct {
	Language string
	Source   string
	Files    map[string][]byte
	// BlobFiles are as of Program.
	BlobFiles map[string]string
	// Entrypoint as of a program.
	Entrypoint string
	// WallTime of one run, to 300 s. Default 10 s.
	WallTime time.Duration
	// Protocol default ProtocolDrydock.
	Protocol Protocol
	// Arguments are given to it after those of the protocol. At most 64, 128 KiB in all.
	Arguments []string
}

func (c *Checker) message() (*drydockv1.Checker, error) {
	if c == nil {
		return nil, nil
	}
	protocol, err := valueOf[drydockv1.Checker_Protocol](drydockv1.Checker_Protocol_value, "protocol", c.Protocol)
	if err != nil {
		return nil, err
	}
	return &drydockv1.Checker{
		Language: c.Language, Source: c.Source, Files: sourceFiles(c.Files, c.BlobFiles), Entrypoint: c.Entrypoint,
		WallTime: durationMessage(c.WallTime), Protocol: protocol, Arguments: c.Arguments,
	}, nil
}

func toChecker(m *drydockv1.Checker) *Checker {
	if m == nil {
		return nil
	}
	files, blobs := toFiles(m.GetFiles())
	return &Checker{
		Language: m.GetLanguage(), Source: m.GetSource(), Files: files, BlobFiles: blobs, Entrypoint: m.GetEntrypoint(),
		WallTime: m.GetWallTime().AsDuration(), Protocol: enum[Protocol](m.GetProtocol(), int32(m.GetProtocol())),
		Arguments: m.GetArguments(),
	}
}

// Interactor is a program that talks with the program: what one prints, the other reads. The input and the expected output of a case
// are its own, as files; messages and points are printed to standard error. Either Source or Files, to 1 MiB in all.
type Interactor struct {
	Language string
	Source   string
	Files    map[string][]byte
	// BlobFiles are as of Program.
	BlobFiles map[string]string
	// Entrypoint as of a program.
	Entrypoint string
	// CPUTime of one run, to 300 s. Default 10 s.
	CPUTime time.Duration
	// Protocol default ProtocolDrydock.
	Protocol Protocol
	// Arguments are given to it after those of the protocol. At most 64, 128 KiB in all.
	Arguments []string
}

func (i *Interactor) message() (*drydockv1.Interactor, error) {
	if i == nil {
		return nil, nil
	}
	protocol, err := valueOf[drydockv1.Checker_Protocol](drydockv1.Checker_Protocol_value, "protocol", i.Protocol)
	if err != nil {
		return nil, err
	}
	return &drydockv1.Interactor{
		Language: i.Language, Source: i.Source, Files: sourceFiles(i.Files, i.BlobFiles), Entrypoint: i.Entrypoint,
		WallTime: durationMessage(i.CPUTime), Protocol: protocol, Arguments: i.Arguments,
	}, nil
}

func toInteractor(m *drydockv1.Interactor) *Interactor {
	if m == nil {
		return nil
	}
	files, blobs := toFiles(m.GetFiles())
	return &Interactor{
		Language: m.GetLanguage(), Source: m.GetSource(), Files: files, BlobFiles: blobs, Entrypoint: m.GetEntrypoint(),
		CPUTime: m.GetWallTime().AsDuration(), Protocol: enum[Protocol](m.GetProtocol(), int32(m.GetProtocol())),
		Arguments: m.GetArguments(),
	}
}

// judges fills the parts of a request that say how the program is judged.
func (p *Program) judges(request *drydockv1.SubmitExecutionRequest) (err error) {
	for _, each := range p.TestCases {
		request.TestCases = append(request.TestCases, each.message())
	}
	if request.Groups, err = groupMessages(p.Groups); err != nil {
		return err
	}
	if request.Checker, err = p.Checker.message(); err != nil {
		return err
	}
	request.Interactor, err = p.Interactor.message()
	return err
}
