package drydock

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	drydockv1 "drydock.dev/drydock/v1"
)

var (
	someLimits  = Limits{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	someFiles   = map[string][]byte{"b": {255}, "a": []byte("text")}
	someCase    = TestCase{"case", "in", []byte("in"), "hash", new("out"), "hash", someLimits, "group", new(0.0)}
	someBlobs   = map[string]string{"c": "hash"}
	someChecker = Checker{"python", "s", someFiles, someBlobs, "a", 1, ProtocolKattis, []string{"x"}}
)

// full has every field set.
func full(t *testing.T) Program {
	program := Program{
		Language: "cpp", Template: "gcc", Command: []string{"run"}, Source: "source", Files: someFiles, BlobFiles: someBlobs, Entrypoint: "a",
		CompilerOptions: []string{"-O2"}, Arguments: []string{"x"}, Environment: map[string]string{"A": "1"}, Stdin: "in",
		StdinBytes: []byte("in"), StdinBlob: "hash", ExpectedOutput: new(""), ExpectedOutputBlob: "hash", Comparison: Float,
		FloatAbsoluteTolerance: new(0.0), FloatRelativeTolerance: new(0.5), FloatTolerance: 0.5, CaseInsensitive: true,
		Limits: someLimits, CompileLimits: someLimits, Isolation: OwnSandbox, TestCases: []TestCase{someCase}, TestSet: "tst_",
		Groups:      []TestGroup{{"group", new(0.0), Sum, StopGroup, []string{"other"}}},
		Parallelism: 2, StopAtFirstFailure: true, Checker: &someChecker, KeepTranscript: true, Priority: 7,
		Interactor: &Interactor{"python", "s", someFiles, someBlobs, "a", 1, ProtocolTestlib, []string{"x"}},
	}
	value := reflect.ValueOf(program)
	for i := range value.NumField() {
		if value.Field(i).IsZero() {
			t.Fatalf("%s is not set", value.Type().Field(i).Name)
		}
	}
	return program
}

func TestARequestHasAllOfAProgram(t *testing.T) {
	program := full(t)
	submission, err := program.request()
	if err != nil {
		t.Fatal(err)
	}
	allSet(t, submission.ProtoReflect())
	if submission.Files[0].Name != "a" || submission.Files[1].Name != "b" || submission.Files[2].GetBlob() != "hash" {
		t.Error("files are in the order of their names, blobs after the others")
	}
	program.Priority = 0
	run, stream := &drydockv1.RunCodeRequest{}, &drydockv1.StreamCodeRequest{}
	if err := errors.Join(program.immediate(run), program.immediate(stream)); err != nil {
		t.Fatal(err)
	}
	allSet(t, run.ProtoReflect())
	allSet(t, stream.ProtoReflect())
}

// allSet expects all fields of a message, and of those in it, but for one of a oneof.
func allSet(t *testing.T, message protoreflect.Message) {
	t.Helper()
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		isDeprecated := field.Options().(*descriptorpb.FieldOptions).GetDeprecated()
		oneof := field.ContainingOneof()
		if !message.Has(field) && !isDeprecated && (oneof == nil || message.WhichOneof(oneof) == nil) {
			t.Errorf("%s is not set", field.FullName())
		}
		if field.Message() == nil || field.IsMap() || field.Message().ParentFile().Package() != "drydock.v1" {
			continue
		}
		if !field.IsList() {
			allSet(t, message.Get(field).Message())
			continue
		}
		for list, at := message.Get(field).List(), 0; at < list.Len(); at++ {
			allSet(t, list.Get(at).Message())
		}
	}
}

func TestATestSetIsRegisteredAndReadWhole(t *testing.T) {
	testSet := NewTestSet{
		Name: "name", Version: "1", Cases: []TestCase{someCase}, Comparison: Tokens, FloatTolerance: 0.5, CaseInsensitive: true,
		Groups:  []TestGroup{{"group", new(0.0), Sum, StopGroup, []string{"other"}}},
		Checker: &someChecker, Interactor: &Interactor{"python", "s", someFiles, someBlobs, "a", 1, ProtocolTestlib, []string{"x"}},
		Limits: someLimits, CompileLimits: someLimits, TimeMultipliers: map[string]float64{"python": 2},
	}
	request, err := testSet.request()
	if err != nil {
		t.Fatal(err)
	}
	allSet(t, request.ProtoReflect())
	message := &drydockv1.TestSet{Id: "tst_", CreateTime: timeMessage(time.Unix(1, 0)), CaseCount: 1, SizeBytes: 2}
	request.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if to := message.ProtoReflect().Descriptor().Fields().ByName(field.Name()); to != nil {
			message.ProtoReflect().Set(to, value)
		}
		return true
	})
	allSet(t, message.ProtoReflect())
	if got, want := toTestSet(message), (&TestSet{testSet, "tst_", time.Unix(1, 0).UTC(), 1, 2}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAToleranceOfBothGivesWayToOneOfItsOwn(t *testing.T) {
	for _, test := range []struct {
		program            Program
		absolute, relative *float64
	}{
		{Program{}, nil, nil},
		{Program{FloatTolerance: 0.5}, new(0.5), new(0.5)},
		{Program{FloatTolerance: 0.5, FloatAbsoluteTolerance: new(0.0)}, new(0.0), nil},
		{Program{FloatRelativeTolerance: new(0.25)}, nil, new(0.25)},
	} {
		request, err := test.program.request()
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(request.FloatAbsoluteTolerance, test.absolute) ||
			!reflect.DeepEqual(request.FloatRelativeTolerance, test.relative) {
			t.Errorf("%v makes %v", test.program, request)
		}
	}
}

func TestANameThatIsNoneIsRefused(t *testing.T) {
	for _, program := range []Program{
		{Comparison: "x"},
		{Isolation: "x"},
		{Groups: []TestGroup{{Aggregation: "x"}}},
		{Groups: []TestGroup{{OnFailure: "x"}}},
		{Checker: &Checker{Protocol: "x"}},
		{Interactor: &Interactor{Protocol: "x"}},
	} {
		if _, err := program.request(); !errors.Is(err, ErrInvalidArgument) {
			t.Errorf("%v: got %v", program, err)
		}
	}
}

func TestAnEmptyProgramLeavesDefaultsToThePlatform(t *testing.T) {
	submission, err := (&Program{}).request()
	if err != nil {
		t.Fatal(err)
	}
	submission.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Name() != "request_id" {
			t.Errorf("%s is %v", field.Name(), value)
		}
		return true
	})
}
