package drydock

import (
	"context"
	"io"
	"iter"
	"time"

	drydockv1 "drydock.dev/drydock/v1"
)

// NewTestSet is the cases of a problem, and how programs are judged by them.
type NewTestSet struct {
	// Name to 128 characters. Several test sets may have the same.
	Name string
	// Version to 128 characters.
	Version string
	// Cases, 1 to 1,000 in the order in which they are run; text and bytes to 10 MiB in all, the rest as blobs.
	Cases []TestCase
	// Comparison as of a program.
	Comparison Comparison
	// FloatTolerance of Float, absolute or relative. Above 0, at most 1; default 1e-6.
	FloatTolerance float64
	// CaseInsensitive takes capital and small letters for the same, whatever the comparison.
	CaseInsensitive bool
	// Groups have test cases that earn points together. At most 100, each of which has a case.
	Groups []TestGroup
	// Checker decides instead of Comparison.
	Checker *Checker
	// Interactor talks with the program, instead of a checker and a comparison.
	Interactor *Interactor
	// Limits of an execution whose own do not say otherwise.
	Limits        Limits
	CompileLimits Limits
	// TimeMultipliers by language: what the times of Limits and of cases are multiplied by. Above 0, to 100; default 1.
	TimeMultipliers map[string]float64
}

// TestSet is the data of a problem, registered once: a program that names it, by Program.TestSet, carries its source alone. It never
// changes.
type TestSet struct {
	// NewTestSet is as it was registered; each input and expected output is a blob. Of a list it has no Cases, no Groups, no Checker and no Interactor.
	NewTestSet
	// ID is tst_ and 26 characters.
	ID         string
	CreateTime time.Time
	CaseCount  int
	// SizeBytes of inputs and expected outputs together.
	SizeBytes int64
}

func (t *NewTestSet) request() (*drydockv1.CreateTestSetRequest, error) {
	comparison, err := valueOf[drydockv1.Comparison](drydockv1.Comparison_value, "comparison", t.Comparison)
	if err != nil {
		return nil, err
	}
	checker, err := t.Checker.message()
	if err != nil {
		return nil, err
	}
	interactor, err := t.Interactor.message()
	if err != nil {
		return nil, err
	}
	groups, err := groupMessages(t.Groups)
	if err != nil {
		return nil, err
	}
	return &drydockv1.CreateTestSetRequest{
		Name:            t.Name,
		Version:         t.Version,
		Cases:           converted(t.Cases, TestCase.message),
		Comparison:      comparison,
		FloatTolerance:  optional(t.FloatTolerance),
		CaseInsensitive: t.CaseInsensitive,
		Groups:          groups,
		Checker:         checker,
		Interactor:      interactor,
		Limits:          t.Limits.message(),
		CompileLimits:   t.CompileLimits.message(),
		TimeMultipliers: t.TimeMultipliers,
		RequestId:       newRequestID(),
	}, nil
}

func toTestSet(m *drydockv1.TestSet) *TestSet {
	return &TestSet{
		NewTestSet: NewTestSet{
			Name:            m.GetName(),
			Version:         m.GetVersion(),
			Cases:           converted(m.GetCases(), toTestCase),
			Comparison:      enum[Comparison](m.GetComparison(), int32(m.GetComparison())),
			FloatTolerance:  m.GetFloatTolerance(),
			CaseInsensitive: m.GetCaseInsensitive(),
			Groups:          converted(m.GetGroups(), toTestGroup),
			Checker:         toChecker(m.GetChecker()),
			Interactor:      toInteractor(m.GetInteractor()),
			Limits:          toLimits(m.GetLimits()),
			CompileLimits:   toLimits(m.GetCompileLimits()),
			TimeMultipliers: m.GetTimeMultipliers(),
		},
		ID:         m.GetId(),
		CreateTime: toTime(m.GetCreateTime()),
		CaseCount:  int(m.GetCaseCount()),
		SizeBytes:  m.GetSizeBytes(),
	}
}

// CreateTestSet registers a test set. Fails with ErrInvalidArgument, which a language that does not exist is too, with ErrNotFound
// (BLOB_NOT_FOUND), and with ErrQuotaExceeded above 10,000 of them.
func (c *Client) CreateTestSet(ctx context.Context, testSet NewTestSet) (*TestSet, error) {
	request, err := testSet.request()
	if err != nil {
		return nil, err
	}
	answer, err := call(ctx, c.connection, repeatable, c.connection.testSets.CreateTestSet, request)
	if err != nil {
		return nil, err
	}
	return toTestSet(answer.GetTestSet()), nil
}

// ImportOptions say what an imported test set is called.
type ImportOptions struct {
	// Name to 128 characters. Default: that of the package.
	Name string
	// Version to 128 characters.
	Version string
}

// PackageNote names something of a package that has no meaning here and does not change a verdict, such as a statement.
type PackageNote struct {
	// File within the zip. A directory ends with / and stands for all in it.
	File string
	// Key of a file of YAML; empty for the whole file.
	Key         string
	Description string
}

func toPackageNote(m *drydockv1.PackageNote) PackageNote {
	return PackageNote{m.GetFile(), m.GetKey(), m.GetDescription()}
}

// ImportTestSet registers the test set of a zip: a problem package of Kattis or ICPC, or pairs of *.in and *.ans or *.out. At most
// 256 MiB, 20,000 entries, and 1 GiB unpacked. It is read once, to its end, so the call is never repeated. Fails as CreateTestSet, and
// with ErrInvalidArgument (PACKAGE_INVALID, PACKAGE_UNSUPPORTED), whose FieldViolations name files and keys.
func (c *Client) ImportTestSet(ctx context.Context, zip io.Reader, options ImportOptions) (*TestSet, []PackageNote, error) {
	put := transfer[drydockv1.ImportTestSetRequest, drydockv1.ImportTestSetResponse]{
		method: c.connection.testSets.ImportTestSet,
		head:   &drydockv1.ImportTestSetRequest{Name: options.Name, Version: options.Version},
		piece: func(data []byte) *drydockv1.ImportTestSetRequest {
			return &drydockv1.ImportTestSetRequest{Data: data}
		},
	}
	answer, err := upload(ctx, c.connection, kind{once: true, unlimited: true}, put, func() io.Reader { return zip })
	if err != nil {
		return nil, nil, err
	}
	return toTestSet(answer.GetTestSet()), converted(answer.GetNotes(), toPackageNote), nil
}

// GetTestSet has a test set with its cases. Fails with ErrNotFound.
func (c *Client) GetTestSet(ctx context.Context, id string) (*TestSet, error) {
	request := &drydockv1.GetTestSetRequest{TestSetId: id}
	answer, err := call(ctx, c.connection, repeatable, c.connection.testSets.GetTestSet, request)
	if err != nil {
		return nil, err
	}
	return toTestSet(answer.GetTestSet()), nil
}

// TestSetFilter says which test sets are listed.
type TestSetFilter struct {
	// Name defaults to all.
	Name string
}

// TestSets lists those of the organisation, newest first, without cases and checker.
func (c *Client) TestSets(ctx context.Context, filter TestSetFilter) iter.Seq2[*TestSet, error] {
	return pages(func(pageToken string) ([]*TestSet, string, error) {
		request := &drydockv1.ListTestSetsRequest{PageToken: pageToken, Name: filter.Name}
		answer, err := call(ctx, c.connection, repeatable, c.connection.testSets.ListTestSets, request)
		if err != nil {
			return nil, "", err
		}
		return converted(answer.GetTestSets(), toTestSet), answer.GetNextPageToken(), nil
	})
}

// DeleteTestSet deletes a test set; executions that were submitted before still have it. Fails with ErrNotFound.
func (c *Client) DeleteTestSet(ctx context.Context, id string) error {
	request := &drydockv1.DeleteTestSetRequest{TestSetId: id}
	_, err := call(ctx, c.connection, single, c.connection.testSets.DeleteTestSet, request)
	return err
}
