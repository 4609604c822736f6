package main

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"io"
	"strings"

	"drydock.dev/drydock"
)

const (
	guess = `low, high = 1, 100
while True:
    middle = (low + high) // 2
    print(middle, flush=True)
    answer = input()
    if answer == "right": break
    if answer == "higher": low = middle + 1
    else: high = middle - 1`

	holdNumber = `import sys
number = int(open(sys.argv[1]).read())
while (guess := int(input())) != number:
    print("higher" if guess < number else "lower", flush=True)
print("right")
sys.exit(42)`
)

var judging = map[string]func(*scenario){
	"points": func(s *scenario) {
		program := drydock.Program{
			Language: "python",
			Source:   square,
			TestCases: []drydock.TestCase{
				{Stdin: "2", ExpectedOutput: new("4"), Group: "small"},
				{Stdin: "30", ExpectedOutput: new("900"), Group: "large", Points: new(2.0)},
				{Stdin: "40", ExpectedOutput: new("1"), Group: "large", Points: new(4.0)},
			},
			Groups: []drydock.TestGroup{
				{Name: "small", Points: new(10.0), Aggregation: drydock.AllOrNothing},
				{Name: "large", Points: new(6.0), Aggregation: drydock.Sum},
			},
			Parallelism: 2,
		}
		result, err := s.client().RunProgram(s.ctx, program)
		s.ok(err)
		s.equal(result.Verdict, drydock.VerdictWrongAnswer)
		s.equal(result.Score, new(12.0))
		s.equal(result.MaxScore, new(16.0))
		s.equal(result.Groups, []drydock.GroupResult{
			{Name: "small", Verdict: drydock.VerdictAccepted, Score: 10, MaxScore: 10},
			{Name: "large", Verdict: drydock.VerdictWrongAnswer, Score: 2, MaxScore: 6},
		})
		s.equal(result.Cases[1].Score, new(2.0))
		s.equal(result.Cases[2].Score, new(0.0))
		s.that(!result.Cases[2].Skipped, "the last case was run")
		program.Groups[0].DependsOn, program.Groups[1].DependsOn = []string{"large"}, []string{"small"}
		_, err = s.client().RunProgram(s.ctx, program)
		s.fails(err, drydock.ErrInvalidArgument)
	},

	"interactive": func(s *scenario) {
		job, err := s.client().Submit(s.ctx, drydock.Program{
			Language:       "python",
			Source:         guess,
			TestCases:      []drydock.TestCase{{Stdin: "37"}},
			Interactor:     &drydock.Interactor{Language: "python", Source: holdNumber, Protocol: drydock.ProtocolKattis},
			KeepTranscript: true,
		})
		s.ok(err)
		result, err := job.Wait(s.ctx)
		s.ok(err)
		s.equal(result.Verdict, drydock.VerdictAccepted)
		talk, err := job.Output(s.ctx, drydock.Transcript)
		s.ok(err)
		s.equal(string(s.read(talk)), "< 50\n> lower\n< 25\n> higher\n< 37\n> right\n")
	},

	"blob": func(s *scenario) {
		tenant := s.tenant(drydock.Quota{})
		content, missing := make([]byte, 3<<20), strings.Repeat("0", 64)
		_, err := rand.Read(content)
		s.ok(err)
		blob, err := tenant.PutBlob(s.ctx, content)
		s.ok(err)
		s.equal(blob.SizeBytes, int64(len(content)))
		stored, err := tenant.ReadBlob(s.ctx, blob.SHA256)
		s.ok(err)
		s.that(bytes.Equal(s.read(stored), content), "what is read is what was put")
		found, lost, err := tenant.StatBlobs(s.ctx, blob.SHA256, missing)
		s.ok(err)
		s.equal(found, []*drydock.Blob{blob})
		s.equal(lost, []string{missing})
		result, err := tenant.RunProgram(s.ctx, drydock.Program{
			Language:  "python",
			Source:    "import sys\nprint(len(sys.stdin.buffer.read()))",
			TestCases: []drydock.TestCase{{StdinBlob: blob.SHA256, ExpectedOutput: new("3145728")}},
		})
		s.ok(err)
		s.equal(result.Verdict, drydock.VerdictAccepted)
		result, err = tenant.RunProgram(s.ctx, drydock.Program{
			Language:  "python",
			Files:     map[string][]byte{"main.py": []byte("print(len(open('data', 'rb').read()))")},
			BlobFiles: map[string]string{"data": blob.SHA256},
		})
		s.ok(err)
		s.equal(result.Stdout, "3145728\n")
		_, err = tenant.ReadBlob(s.ctx, missing)
		s.fails(err, drydock.ErrNotFound)
		s.failsFor(err, "BLOB_NOT_FOUND")
	},

	"test-set": func(s *scenario) {
		tenant := s.tenant(drydock.Quota{})
		made, err := tenant.CreateTestSet(s.ctx, drydock.NewTestSet{
			Name: "square",
			Cases: []drydock.TestCase{
				{Name: "small", Stdin: "2", ExpectedOutput: new("4")},
				{Name: "large", Stdin: "30", ExpectedOutput: new("900")},
			},
		})
		s.ok(err)
		s.equal(made.CaseCount, 2)
		s.equal(s.judged(tenant, made.ID), []string{"small ACCEPTED", "large ACCEPTED"})
		listed := all(s, tenant.TestSets(s.ctx, drydock.TestSetFilter{Name: "square"}))
		s.equal(len(listed), 1)
		s.equal(listed[0].ID, made.ID)
		s.equal(len(all(s, tenant.TestSets(s.ctx, drydock.TestSetFilter{Name: "cube"}))), 0)
		got, err := tenant.GetTestSet(s.ctx, made.ID)
		s.ok(err)
		s.equal(got, made)
		s.ok(tenant.DeleteTestSet(s.ctx, made.ID))
		_, err = tenant.GetTestSet(s.ctx, made.ID)
		s.fails(err, drydock.ErrNotFound)
	},

	"test-set-import": func(s *scenario) {
		tenant := s.tenant(drydock.Quota{})
		problem := s.zip("1.in", "2", "1.ans", "4", "2.in", "30", "2.ans", "900")
		options := drydock.ImportOptions{Name: "square", Version: "7"}
		made, _, err := tenant.ImportTestSet(s.ctx, problem, options)
		s.ok(err)
		s.equal(made.Version, "7")
		s.equal(s.judged(tenant, made.ID), []string{"1 ACCEPTED", "2 ACCEPTED"})
		_, _, err = tenant.ImportTestSet(s.ctx, strings.NewReader("this is no zip"), options)
		s.fails(err, drydock.ErrInvalidArgument)
		s.failsFor(err, "PACKAGE_INVALID")
	},
}

// judged is what the cases of a test set say of a right program.
func (s *scenario) judged(tenant tenant, testSet string) []string {
	job, err := tenant.Submit(s.ctx, drydock.Program{Language: "python", Source: square, TestSet: testSet})
	s.ok(err)
	result, err := job.Wait(s.ctx)
	s.ok(err)
	var cases []string
	for _, each := range result.Cases {
		cases = append(cases, each.Name+" "+string(each.Verdict))
	}
	return cases
}

func (s *scenario) read(from io.ReadCloser) []byte {
	defer from.Close()
	content, err := io.ReadAll(from)
	s.ok(err)
	return content
}

// zip has files of names and contents by turns.
func (s *scenario) zip(files ...string) io.Reader {
	var archive bytes.Buffer
	writer := zip.NewWriter(&archive)
	for i := 0; i < len(files); i += 2 {
		file, err := writer.Create(files[i])
		s.ok(err)
		_, err = io.WriteString(file, files[i+1])
		s.ok(err)
	}
	s.ok(writer.Close())
	return &archive
}
