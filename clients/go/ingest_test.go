package quipu_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/quipu-memory/quipu/clients/go"
	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

type ingestStream = grpc.BidiStreamingServer[quipuv1.IngestMemoriesRequest, quipuv1.IngestMemoriesResponse]

const streamID = "6e8f3d0a-6d0b-4d7e-9d38-3a2f6e1f2b10"

func (f *fake) IngestMemories(stream ingestStream) error {
	return f.ingest(stream)
}

// keeper acknowledges items one by one and refuses empty ones. Its first call ends after some.
type keeper struct {
	starts     []*quipuv1.IngestStart
	calls      [][]int64
	leaveAfter int
}

func (k *keeper) ingest(stream ingestStream) error {
	var offsets []int64
	defer func() { k.calls = append(k.calls, offsets) }()
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if start := request.GetStart(); start != nil {
			k.starts = append(k.starts, start)
			continue
		}
		if len(k.calls) == 0 && len(offsets) == k.leaveAfter && k.leaveAfter > 0 {
			return refusal(codes.Unavailable, "SHUTTING_DOWN", "stopping")
		}
		offsets = append(offsets, request.GetItem().GetOffset())
		told := acknowledged(request.GetItem())
		stream.Send(&quipuv1.IngestMemoriesResponse{Acknowledgements: []*quipuv1.IngestAcknowledgement{told}})
	}
}

func acknowledged(item *quipuv1.IngestItem) *quipuv1.IngestAcknowledgement {
	if item.GetMemory().GetContent() == "" {
		refused := &quipuv1.IngestRefusal{Code: 3, Reason: "INVALID_FIELD", Message: "is empty", Field: "memory.content"}
		return &quipuv1.IngestAcknowledgement{
			Offset: item.GetOffset(), Outcome: &quipuv1.IngestAcknowledgement_Refused{Refused: refused},
		}
	}
	state := quipuv1.IngestState_INGEST_STATE_STORED
	if item.GetMemoryId() == "one" {
		state = quipuv1.IngestState_INGEST_STATE_SEARCHABLE
	}
	stored := &quipuv1.IngestedMemory{
		Name: home + "/memories/" + item.GetMemoryId(), Revision: item.GetOffset() + 1, State: state,
	}
	return &quipuv1.IngestAcknowledgement{
		Offset: item.GetOffset(), Outcome: &quipuv1.IngestAcknowledgement_Stored{Stored: stored},
	}
}

func TestEachDraftHasAnOutcome(t *testing.T) {
	server, client := serve(t)
	keeper := &keeper{}
	server.ingest = keeper.ingest
	drafts := slices.Values([]quipu.Draft{{ID: "one", Content: "x"}, {}, {ID: "three", Content: "x"}})
	options := &quipu.IngestOptions{StreamID: streamID}
	outcomes, err := quipu.Collect(client.Ingest(context.Background(), drafts, options))
	if err != nil || len(outcomes) != 3 {
		t.Fatalf("found %v, %v", outcomes, err)
	}
	if first := outcomes[0]; first.Name != home+"/memories/one" || first.Revision != 1 || first.Offset != 0 || first.Err != nil {
		t.Errorf("found %v", first)
	}
	if !outcomes[0].Searchable || outcomes[2].Searchable {
		t.Error("only the first one was told to be searchable")
	}
	var refused *quipu.Error
	if !errors.As(outcomes[1].Err, &refused) || !errors.Is(refused, quipu.ErrInvalidArgument) ||
		refused.Fields[0].Field != "memory.content" || refused.RequestID != streamID {
		t.Errorf("found %v", outcomes[1].Err)
	}
	if start := keeper.starts[0]; start.GetParent() != home || start.GetStreamId() != streamID {
		t.Errorf("began with %v", start)
	}
}

func TestNoMoreIsReadThanMayWait(t *testing.T) {
	server, client := serve(t)
	server.ingest = (&keeper{}).ingest
	read := 0
	var drafts iter.Seq[quipu.Draft] = func(yield func(quipu.Draft) bool) {
		for read < 2_000 {
			read++
			if !yield(quipu.Draft{Content: "x"}) {
				return
			}
		}
	}
	told := 0
	for outcome, err := range client.Ingest(context.Background(), drafts, nil) {
		if err != nil || outcome.Offset != int64(told) {
			t.Fatalf("found %v, %v", outcome, err)
		}
		if told++; read > told+512 {
			t.Fatalf("read %d when %d were told", read, told)
		}
	}
	if told != 2_000 {
		t.Errorf("told %d", told)
	}
}

func TestWhatWasNotAcknowledgedIsSentAgain(t *testing.T) {
	t.Parallel() // it waits
	server, client := serve(t)
	keeper := &keeper{leaveAfter: 30}
	server.ingest = keeper.ingest
	outcomes, err := quipu.Collect(client.Ingest(context.Background(), slices.Values(numbered(100)), nil))
	if err != nil || len(outcomes) != 100 || len(keeper.starts) != 2 {
		t.Fatalf("found %d, %v, in %d calls", len(outcomes), err, len(keeper.starts))
	}
	if keeper.starts[0].GetStreamId() != keeper.starts[1].GetStreamId() || len(keeper.calls[0]) != 30 {
		t.Errorf("began with %v", keeper.starts)
	}
}

func TestOtherErrorsEndAnIngestionAndNameTheStream(t *testing.T) {
	server, client := serve(t)
	server.ingest = func(ingestStream) error { return refusal(codes.NotFound, "SPACE_NOT_FOUND", "gone") }
	options := &quipu.IngestOptions{StreamID: streamID}
	_, err := quipu.Collect(client.Ingest(context.Background(), slices.Values(numbered(1)), options))
	var failed *quipu.Error
	if !errors.Is(err, quipu.ErrNotFound) || !errors.As(err, &failed) || failed.RequestID != streamID {
		t.Errorf("found %v", err)
	}
}

func TestLeavingEndsAnIngestion(t *testing.T) {
	server, client := serve(t)
	ended := make(chan error, 1)
	server.ingest = func(stream ingestStream) error {
		err := (&keeper{}).ingest(stream)
		ended <- err
		return err
	}
	var endless iter.Seq[quipu.Draft] = func(yield func(quipu.Draft) bool) {
		for yield(quipu.Draft{Content: "x"}) {
		}
	}
	for outcome := range client.Ingest(context.Background(), endless, nil) {
		if outcome.Offset == 9 {
			break
		}
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it ended as if it were done")
		}
	case <-time.After(10 * time.Second):
		t.Error("it goes on")
	}
}
