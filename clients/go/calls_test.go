package quipu_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/quipu-memory/quipu/clients/go"
	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

func TestACallBringsTheKeyAndADeadline(t *testing.T) {
	server, client := serve(t, quipu.WithAPIKey("secret"), quipu.WithTimeout(time.Minute))
	if _, err := client.Add(context.Background(), "x", nil); err != nil {
		t.Fatal(err)
	}
	if found := server.headers[0].Get("authorization"); !slices.Equal(found, []string{"Bearer secret"}) {
		t.Errorf("authorization is %v", found)
	}
	if !server.deadline {
		t.Error("there is no deadline")
	}
}

func TestTheTimeoutOfTheClientIsForCallsWithoutADeadline(t *testing.T) {
	_, client := serve(t, quipu.WithTimeout(time.Nanosecond))
	if _, err := client.Add(context.Background(), "x", nil); !errors.Is(err, quipu.ErrDeadlineExceeded) {
		t.Errorf("found %v", err)
	}
	limited, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := client.Add(limited, "x", nil); err != nil {
		t.Errorf("found %v", err)
	}
}

func TestAWriteIsSentAgainWithItsRequestID(t *testing.T) {
	server, client := serve(t)
	server.failures = []error{refusal(codes.Unavailable, "NOT_READY", "starting")}
	if _, err := client.Add(context.Background(), "x", nil); err != nil {
		t.Fatal(err)
	}
	sent := asked[*quipuv1.CreateMemoryRequest](server)
	if len(sent) != 2 || sent[0].GetRequestId() != sent[1].GetRequestId() {
		t.Fatalf("sent %v", sent)
	}
	if err := uuid.Validate(sent[0].GetRequestId()); err != nil {
		t.Error(err)
	}
}

func TestALongRequestIsSentAgainToo(t *testing.T) {
	server, client := serve(t)
	server.failures = []error{refusal(codes.Unavailable, "NOT_READY", "starting")}
	drafts := slices.Repeat([]quipu.Draft{{Content: string(make([]byte, 30_000))}}, 100)
	if _, err := client.AddMany(context.Background(), drafts, nil); err != nil {
		t.Fatal(err)
	}
	if sent := asked[*quipuv1.BatchCreateMemoriesRequest](server); len(sent) != 2 {
		t.Errorf("sent %d", len(sent))
	}
}

func TestEveryWriteHasARequestIDOfItsOwn(t *testing.T) {
	server, client := serve(t)
	ctx := context.Background()
	client.Add(ctx, "x", nil)
	client.AddMany(ctx, []quipu.Draft{{Content: "x"}}, nil)
	client.Update(ctx, "m", nil)
	client.Delete(ctx, "m", nil)
	client.Undelete(ctx, "m", nil)
	client.CreateSpace(ctx, "s", nil)
	client.UpdateSpace(ctx, "s", nil)
	client.DeleteSpace(ctx, "s", nil)
	seen := map[string]bool{}
	for _, write := range asked[interface {
		proto.Message
		GetRequestId() string
	}](server) {
		if uuid.Validate(write.GetRequestId()) != nil {
			t.Errorf("%T has the request id %q", write, write.GetRequestId())
		}
		seen[write.GetRequestId()] = true
	}
	if len(seen) != 8 {
		t.Errorf("%d request ids", len(seen))
	}
}

func TestARequestIDOfTheCallerIsKept(t *testing.T) {
	server, client := serve(t)
	id := uuid.NewString()
	if _, err := client.Delete(context.Background(), "m", &quipu.DeleteOptions{RequestID: id}); err != nil {
		t.Fatal(err)
	}
	if sent := asked[*quipuv1.DeleteMemoryRequest](server)[0].GetRequestId(); sent != id {
		t.Errorf("sent %s", sent)
	}
}

func TestNamesComeFromIDsAndNames(t *testing.T) {
	server, client := serve(t, quipu.WithSpace("ann"))
	ctx := context.Background()
	client.Get(ctx, "m", nil)
	client.Get(ctx, "m", &quipu.GetOptions{Space: "bob"})
	client.Get(ctx, "m", &quipu.GetOptions{Space: "spaces/bob"})
	client.Get(ctx, "spaces/eve/memories/m", &quipu.GetOptions{Space: "bob"})
	var names []string
	for _, request := range asked[*quipuv1.GetMemoryRequest](server) {
		names = append(names, request.GetName())
	}
	expected := []string{
		"spaces/ann/memories/m", "spaces/bob/memories/m", "spaces/bob/memories/m", "spaces/eve/memories/m",
	}
	if !slices.Equal(names, expected) {
		t.Errorf("asked for %v", names)
	}
}

func TestASpaceToDestroyMustBeNamed(t *testing.T) {
	server, client := serve(t)
	_, err := client.DeleteSpace(context.Background(), "", &quipu.DeleteSpaceOptions{Force: true})
	if !errors.Is(err, quipu.ErrInvalidArgument) || len(server.requests) > 0 {
		t.Errorf("found %v", err)
	}
}

func TestManyMemoriesAreFoundByWhatWasGiven(t *testing.T) {
	_, client := serve(t, quipu.WithSpace("ann"))
	ctx := context.Background()
	client.Add(ctx, "x", &quipu.AddOptions{ID: "a"})
	client.Add(ctx, "y", &quipu.AddOptions{ID: "b"})
	found, err := client.GetMany(ctx, []string{"a", "spaces/ann/memories/b", "c"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 || found["a"].GetContent() != "x" || found["spaces/ann/memories/b"].GetContent() != "y" {
		t.Errorf("found %v", found)
	}
}
