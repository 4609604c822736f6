// Package drydocktest serves the API of Drydock to tests of programs that use it: the real client calls a server of this process,
// which records calls and answers as it is told.
//
//	type executions struct{ drydockv1.UnimplementedExecutionServiceServer }
//
//	func (executions) RunCode(context.Context, *drydockv1.RunCodeRequest) (*drydockv1.RunCodeResponse, error) {
//		return &drydockv1.RunCodeResponse{Execution: &drydockv1.Execution{Stdout: "42\n"}}, nil
//	}
//
//	server := drydocktest.NewServer(t, executions{})
//	result, err := server.Client(t).Run(t.Context(), "python", "print(6 * 7)")
package drydocktest

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"drydock.dev/drydock"
	drydockv1 "drydock.dev/drydock/v1"
)

// Call is one that the server has had.
type Call struct {
	// Method is such as /drydock.v1.ExecutionService/RunCode.
	Method string
	// Request is the first that the client sent.
	Request proto.Message
	// Header has what came beside it, such as authorization.
	Header metadata.MD
}

// Server of a part of the API, on loopback. What is not served fails with the code UNIMPLEMENTED.
type Server struct {
	// URL for drydock.WithURL.
	URL string

	mutex sync.Mutex
	calls []Call
}

// NewServer serves what is given until the test ends: each value is a server of one or more services of the API, such as
// drydockv1.ExecutionServiceServer.
func NewServer(t testing.TB, services ...any) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{URL: "http://" + listener.Addr().String()}
	server := grpc.NewServer(grpc.ChainUnaryInterceptor(s.recordUnary), grpc.ChainStreamInterceptor(s.recordStream))
	for _, each := range services {
		if !register(server, each) {
			t.Fatalf("drydocktest: %T serves no service of the API", each)
		}
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		server.Stop()
		<-over
	})
	return s
}

func register(server *grpc.Server, service any) bool {
	registered := false
	if auth, serves := service.(drydockv1.AuthServiceServer); serves {
		drydockv1.RegisterAuthServiceServer(server, auth)
		registered = true
	}
	if blobs, serves := service.(drydockv1.BlobServiceServer); serves {
		drydockv1.RegisterBlobServiceServer(server, blobs)
		registered = true
	}
	if executions, serves := service.(drydockv1.ExecutionServiceServer); serves {
		drydockv1.RegisterExecutionServiceServer(server, executions)
		registered = true
	}
	if files, serves := service.(drydockv1.FileServiceServer); serves {
		drydockv1.RegisterFileServiceServer(server, files)
		registered = true
	}
	if processes, serves := service.(drydockv1.ProcessServiceServer); serves {
		drydockv1.RegisterProcessServiceServer(server, processes)
		registered = true
	}
	if sandboxes, serves := service.(drydockv1.SandboxServiceServer); serves {
		drydockv1.RegisterSandboxServiceServer(server, sandboxes)
		registered = true
	}
	if templates, serves := service.(drydockv1.TemplateServiceServer); serves {
		drydockv1.RegisterTemplateServiceServer(server, templates)
		registered = true
	}
	if testSets, serves := service.(drydockv1.TestSetServiceServer); serves {
		drydockv1.RegisterTestSetServiceServer(server, testSets)
		registered = true
	}
	if webhooks, serves := service.(drydockv1.WebhookServiceServer); serves {
		drydockv1.RegisterWebhookServiceServer(server, webhooks)
		registered = true
	}
	return registered
}

// Client is a client of the server until the test ends. Its key is a token, which is sent as it is, unless an option gives another.
func (s *Server) Client(t testing.TB, options ...drydock.Option) *drydock.Client {
	t.Helper()
	options = append([]drydock.Option{drydock.WithURL(s.URL), drydock.WithAPIKey("token")}, options...)
	client, err := drydock.New(context.Background(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// Calls are those that began so far, in their order.
func (s *Server) Calls() []Call {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.Clone(s.calls)
}

func (s *Server) record(ctx context.Context, method string, request any) {
	header, _ := metadata.FromIncomingContext(ctx)
	message, _ := request.(proto.Message)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.calls = append(s.calls, Call{method, message, header})
}

func (s *Server) recordUnary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	s.record(ctx, info.FullMethod, request)
	return handle(ctx, request)
}

func (s *Server) recordStream(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	return handle(service, &recorded{ServerStream: stream, server: s, method: info.FullMethod})
}

// recorded records the first request.
type recorded struct {
	grpc.ServerStream
	server *Server
	method string
	once   sync.Once
}

func (r *recorded) RecvMsg(message any) error {
	err := r.ServerStream.RecvMsg(message)
	if err == nil {
		r.once.Do(func() { r.server.record(r.Context(), r.method, message) })
	}
	return err
}

// Error is what a method of a server returns to fail as the platform does, with a code and a reason such as NOT_FOUND and
// SANDBOX_NOT_FOUND.
func Error(code codes.Code, reason, message string) error {
	return failure(code, message, &errdetails.ErrorInfo{Reason: reason, Domain: "drydock"})
}

// RetryableError is an Error that says when to try again.
func RetryableError(code codes.Code, reason, message string, after time.Duration) error {
	info := &errdetails.ErrorInfo{Reason: reason, Domain: "drydock"}
	return failure(code, message, info, &errdetails.RetryInfo{RetryDelay: durationpb.New(after)})
}

func failure(code codes.Code, message string, details ...protoadapt.MessageV1) error {
	detailed, err := status.New(code, message).WithDetails(details...)
	if err != nil {
		// Of code OK.
		return err
	}
	return detailed.Err()
}
