package quipu_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quipu-memory/quipu/clients/go"
	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// refusal is an error as the server gives it.
func refusal(code codes.Code, reason, message string, details ...protoadapt.MessageV1) error {
	info := &errdetails.ErrorInfo{Reason: reason, Domain: "quipu", Metadata: map[string]string{"name": "spaces/a"}}
	refused, err := status.New(code, message).WithDetails(append(details, info)...)
	if err != nil {
		panic(err)
	}
	return refused.Err()
}

// failed gives an error as the client's own.
func failed(t *testing.T, err error) *quipu.Error {
	t.Helper()
	var found *quipu.Error
	if !errors.As(err, &found) {
		t.Fatalf("%v is no *quipu.Error", err)
	}
	return found
}

func TestAnErrorHasWhatTheServerSaid(t *testing.T) {
	server, client := serve(t)
	server.failures = []error{refusal(codes.InvalidArgument, "INVALID_FIELD", "no", &errdetails.BadRequest{
		FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "memory.importance", Description: "too large"}},
	})}
	_, err := client.Add(context.Background(), "x", nil)
	found := failed(t, err)
	if found.Code != codes.InvalidArgument || found.Reason != "INVALID_FIELD" || found.Message != "no" {
		t.Errorf("found %+v", found)
	}
	if !slices.Equal(found.Fields, []quipu.FieldViolation{{Field: "memory.importance", Description: "too large"}}) {
		t.Errorf("fields are %v", found.Fields)
	}
	if found.Metadata["name"] != "spaces/a" || found.CallID != "call-1" || found.Retryable() {
		t.Errorf("found %+v", found)
	}
	if sent := asked[*quipuv1.CreateMemoryRequest](server)[0].GetRequestId(); found.RequestID != sent {
		t.Errorf("request id is %q, sent was %q", found.RequestID, sent)
	}
	if err.Error() != "quipu: INVALID_FIELD: no" {
		t.Errorf("says %q", err)
	}
	if status.Code(err) != codes.InvalidArgument {
		t.Error("gRPC does not know its status")
	}
}

func TestErrorsAreToldApartByCode(t *testing.T) {
	server, client := serve(t)
	server.failures = []error{refusal(codes.Aborted, "ETAG_MISMATCH", "old")}
	_, err := client.Update(context.Background(), "m", &quipu.UpdateOptions{Content: "x"})
	if !errors.Is(err, quipu.ErrAborted) || errors.Is(err, quipu.ErrNotFound) {
		t.Errorf("found %v", err)
	}
	_, err = client.Get(context.Background(), "m", nil)
	if !errors.Is(err, quipu.ErrNotFound) || failed(t, err).RequestID != "" {
		t.Errorf("found %v", err)
	}
}

func TestWhatMayBeSentAgain(t *testing.T) {
	for _, one := range []struct {
		failure quipu.Error
		expect  bool
	}{
		{quipu.Error{Code: codes.Unavailable}, true},
		{quipu.Error{Code: codes.Aborted, Reason: "WRITE_CONFLICT"}, true},
		{quipu.Error{Code: codes.ResourceExhausted, RetryAfter: time.Second}, true},
		{quipu.Error{Code: codes.ResourceExhausted}, false},
		{quipu.Error{Code: codes.Aborted, Reason: "ETAG_MISMATCH"}, false},
	} {
		if one.failure.Retryable() != one.expect {
			t.Errorf("%v: expected %v", &one.failure, one.expect)
		}
	}
}

func TestTheErrorOfTheLastAttemptSaysHowLongToWait(t *testing.T) {
	t.Parallel() // it waits
	server, client := serve(t)
	wait := &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)}
	overloaded := refusal(codes.Unavailable, "OVERLOADED", "busy", wait)
	server.failures = slices.Repeat([]error{overloaded}, 9)
	_, err := client.Get(context.Background(), "m", nil)
	if found := failed(t, err); found.RetryAfter != time.Second || !found.Retryable() || found.Message != "busy" {
		t.Errorf("found %+v", found)
	}
	if attempts := len(server.requests); attempts != 5 {
		t.Errorf("%d attempts", attempts)
	}
}

func TestAServerThatIsNotThereIsNamed(t *testing.T) {
	t.Parallel() // it waits
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	client, err := quipu.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, err = client.Get(context.Background(), "m", nil)
	if !errors.Is(err, quipu.ErrUnavailable) {
		t.Fatal(err)
	}
	if !strings.HasSuffix(err.Error(), "the server at "+address+" cannot be reached: connect: connection refused") &&
		!strings.HasSuffix(err.Error(), "cannot be reached: connection refused") {
		t.Errorf("says %q", err)
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	_, client := serve(t)
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := client.Get(cancelled, "m", nil)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, quipu.ErrCanceled) {
		t.Errorf("found %v", err)
	}
	late, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
	defer cancel()
	_, err = client.Get(late, "m", nil)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, quipu.ErrDeadlineExceeded) {
		t.Errorf("found %v", err)
	}
}

func TestConnectRefusesBadArguments(t *testing.T) {
	if _, err := quipu.Connect(""); !errors.Is(err, quipu.ErrInvalidArgument) {
		t.Errorf("found %v", err)
	}
	if _, err := quipu.Connect("localhost:1", quipu.WithTimeout(0)); !errors.Is(err, quipu.ErrInvalidArgument) {
		t.Errorf("found %v", err)
	}
}
