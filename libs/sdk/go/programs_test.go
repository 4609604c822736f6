package drydock

import (
	"errors"
	"reflect"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	drydockv1 "drydock.dev/drydock/v1"
)

// full has every field set.
func full(t *testing.T) Program {
	limits := Limits{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	files := map[string][]byte{"b": {255}, "a": []byte("text")}
	program := Program{
		Language: "cpp", Template: "gcc", Command: []string{"run"}, Source: "source", Files: files, Entrypoint: "a",
		CompilerOptions: []string{"-O2"}, Arguments: []string{"x"}, Environment: map[string]string{"A": "1"}, Stdin: "in",
		ExpectedOutput: new(""), Comparison: Float, CaseInsensitive: true, FloatTolerance: 0.5, Limits: limits, CompileLimits: limits,
		Isolation: OwnSandbox, TestCases: []TestCase{{"case", "in", new("out"), limits}}, StopAtFirstFailure: true,
		Checker:  &Checker{Language: "python", Source: "s", Files: files, Entrypoint: "a", WallTime: 1},
		Priority: 7,
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
	if submission.Files[0].Name != "a" || submission.Files[1].Name != "b" {
		t.Error("files are in the order of their names")
	}
	program.Priority = 0
	run, stream := &drydockv1.RunCodeRequest{}, &drydockv1.StreamCodeRequest{}
	if err := errors.Join(program.immediate(run), program.immediate(stream)); err != nil {
		t.Fatal(err)
	}
	allSet(t, run.ProtoReflect())
	allSet(t, stream.ProtoReflect())
}

// withoutOption are the fields of a program that this module has no option for yet.
var withoutOption = map[protoreflect.Name]bool{
	"groups": true, "interactor": true, "parallelism": true, "keep_transcript": true, "test_set": true,
	"stdin_bytes": true, "stdin_blob": true, "expected_output_blob": true,
}

func allSet(t *testing.T, message protoreflect.Message) {
	t.Helper()
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		isDeprecated := field.Options().(*descriptorpb.FieldOptions).GetDeprecated()
		if !message.Has(field) && !isDeprecated && !withoutOption[field.Name()] {
			t.Errorf("%s is not set", field.FullName())
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
