package quipu_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/quipu-memory/quipu/clients/go"
	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/grpc/codes"
)

const wholeID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"

func numbered(count int) []quipu.Draft {
	drafts := make([]quipu.Draft, count)
	for i := range drafts {
		drafts[i].Content = fmt.Sprintf("note %d", i)
	}
	return drafts
}

func TestManyMemoriesGoInBatchesWithIDsOfTheirOwn(t *testing.T) {
	server, client := serve(t)
	stored, err := client.AddMany(context.Background(), numbered(250), &quipu.AddManyOptions{RequestID: wholeID})
	if err != nil {
		t.Fatal(err)
	}
	if len(stored) != 250 || stored[249].GetContent() != "note 249" {
		t.Errorf("stored %d", len(stored))
	}
	sent := asked[*quipuv1.BatchCreateMemoriesRequest](server)
	// The first has the id of the whole, the others are uuid5(whole, number), as in every client.
	expected := []string{wholeID, "b04965e6-a9bb-591f-8f8a-1adcb2c8dc39", "4b166dbe-d99d-5091-abdd-95b83330ed3a"}
	for i, size := range []int{100, 100, 50} {
		if len(sent[i].GetRequests()) != size || sent[i].GetRequestId() != expected[i] {
			t.Errorf("batch %d has %d and %s", i, len(sent[i].GetRequests()), sent[i].GetRequestId())
		}
	}
}

func TestBatchesStayBelowTheLimitOfACall(t *testing.T) {
	server, client := serve(t)
	drafts := make([]quipu.Draft, 5)
	for i := range drafts {
		drafts[i].Content = strings.Repeat("x", 3<<20)
	}
	if _, err := client.AddMany(context.Background(), drafts, nil); err != nil {
		t.Fatal(err)
	}
	sent := asked[*quipuv1.BatchCreateMemoriesRequest](server)
	if len(sent) != 3 || len(sent[0].GetRequests()) != 2 || len(sent[2].GetRequests()) != 1 {
		t.Errorf("sent %d batches", len(sent))
	}
}

func TestAnErrorComesWithWhatWasStored(t *testing.T) {
	server, client := serve(t)
	server.failures = []error{nil, refusal(codes.InvalidArgument, "INVALID_FIELD", "no")}
	stored, err := client.AddMany(context.Background(), numbered(150), &quipu.AddManyOptions{RequestID: wholeID})
	if len(stored) != 100 || failed(t, err).RequestID != wholeID {
		t.Errorf("stored %d, %v", len(stored), err)
	}
}

func TestNothingIsSentWhenADraftOrIDIsWrong(t *testing.T) {
	server, client := serve(t)
	ctx := context.Background()
	wrong := quipu.Draft{Content: "x", Fields: quipu.Fields{Metadata: map[string]any{"a": struct{}{}}}}
	drafts := []quipu.Draft{{Content: "x"}, wrong}
	if _, err := client.AddMany(ctx, drafts, nil); !errors.Is(err, quipu.ErrInvalidArgument) {
		t.Errorf("found %v", err)
	}
	options := &quipu.AddManyOptions{RequestID: "none"}
	if _, err := client.AddMany(ctx, numbered(1), options); !errors.Is(err, quipu.ErrInvalidArgument) {
		t.Errorf("found %v", err)
	}
	if len(server.requests) > 0 {
		t.Errorf("sent %v", server.requests)
	}
}
