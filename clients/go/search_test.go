package quipu_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/quipu-memory/quipu/clients/go"
	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

type searchStream = grpc.ServerStreamingServer[quipuv1.SearchResponse]

func TestASummaryComesAfterTheLastHit(t *testing.T) {
	_, client := serve(t)
	client.AddMany(context.Background(), numbered(3), nil)
	result := client.Search(context.Background(), "note", nil)
	if result.Summary() != nil {
		t.Error("there is a summary before the hits")
	}
	hits, err := quipu.Collect(result.Hits())
	if err != nil || len(hits) != 3 {
		t.Errorf("found %v, %v", hits, err)
	}
	if result.Summary().GetHitCount() != 3 {
		t.Errorf("summary is %v", result.Summary())
	}
}

func TestLeavingTheHitsCancelsTheSearch(t *testing.T) {
	server, client := serve(t)
	ended := make(chan error, 1)
	server.search = func(_ *quipuv1.SearchRequest, stream searchStream) error {
		stream.Send(&quipuv1.SearchResponse{Hits: []*quipuv1.Hit{{Score: 2}, {Score: 1}}})
		<-stream.Context().Done()
		ended <- stream.Context().Err()
		return stream.Context().Err()
	}
	result := client.Search(context.Background(), "x", nil)
	for hit, err := range result.Hits() {
		if err != nil || hit.GetScore() != 2 {
			t.Fatal(hit, err)
		}
		break
	}
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the search goes on")
	}
	if result.Summary() != nil {
		t.Error("there is a summary")
	}
}

func TestAnAnswerWithoutASummaryIsAnError(t *testing.T) {
	server, client := serve(t)
	server.search = func(_ *quipuv1.SearchRequest, stream searchStream) error {
		return stream.Send(&quipuv1.SearchResponse{Hits: []*quipuv1.Hit{{Score: 1}}})
	}
	hits, err := quipu.Collect(client.Search(context.Background(), "x", nil).Hits())
	if len(hits) != 1 || !errors.Is(err, quipu.ErrDataLoss) {
		t.Errorf("found %d, %v", len(hits), err)
	}
}

func TestASearchIsTriedAgainBeforeItsFirstAnswer(t *testing.T) {
	server, client := serve(t)
	server.failures = []error{refusal(codes.Unavailable, "NOT_READY", "starting")}
	if _, err := quipu.Collect(client.Search(context.Background(), "x", nil).Hits()); err != nil {
		t.Error(err)
	}
}

func TestASearchEndsWithItsError(t *testing.T) {
	server, client := serve(t)
	server.failures = []error{refusal(codes.NotFound, "SPACE_NOT_FOUND", "none")}
	hits, err := quipu.Collect(client.Search(context.Background(), "x", nil).Hits())
	if len(hits) != 0 || failed(t, err).Reason != "SPACE_NOT_FOUND" {
		t.Errorf("found %v, %v", hits, err)
	}
}

func TestASearchAsksWhatItsOptionsSay(t *testing.T) {
	server, client := serve(t, quipu.WithSpace("ann"))
	ctx := context.Background()
	quipu.Collect(client.Search(ctx, "x", nil).Hits())
	quipu.Collect(client.SearchVector(ctx, []float32{1}, &quipu.SearchOptions{
		Spaces: []string{"a", "spaces/b"}, Mode: quipu.ModeDense, K: 3, Explain: true, MinRelevance: 0.5,
		Ranking: &quipu.RankingWeights{Recency: quipu.Ptr(0.0)}, Consistency: quipu.MaxStaleness(time.Second),
		FilterTree: &quipu.Filter{Condition: &quipuv1.Filter_IsSet{IsSet: "speaker"}},
	}).Hits())
	quipu.Collect(client.SearchLike(ctx, "m", &quipu.SearchOptions{Spaces: []string{"bob"}, Filter: "y"}).Hits())
	sent := asked[*quipuv1.SearchRequest](server)
	for i, expected := range []*quipuv1.SearchRequest{
		{
			Spaces:      []string{"spaces/ann"},
			Query:       &quipuv1.SearchRequest_Text{Text: "x"},
			Consistency: strongRead(),
		},
		{
			Spaces: []string{"spaces/a", "spaces/b"},
			Query:  &quipuv1.SearchRequest_Vector{Vector: &quipuv1.Vector{Values: []float32{1}}},
			Mode:   quipu.ModeDense, K: quipu.Ptr[int32](3), Explain: true, MinRelevance: 0.5,
			Ranking:     &quipuv1.RankingWeights{Recency: quipu.Ptr(0.0)},
			Consistency: sent[1].GetConsistency(),
			Filtering: &quipuv1.SearchRequest_FilterTree{
				FilterTree: &quipu.Filter{Condition: &quipuv1.Filter_IsSet{IsSet: "speaker"}},
			},
		},
		{
			Spaces:      []string{"spaces/bob"},
			Query:       &quipuv1.SearchRequest_Example{Example: "spaces/bob/memories/m"},
			Filtering:   &quipuv1.SearchRequest_Filter{Filter: "y"},
			Consistency: strongRead(),
		},
	} {
		if !proto.Equal(sent[i], expected) {
			t.Errorf("sent %v, expected %v", sent[i], expected)
		}
	}
	if age := sent[1].GetConsistency().GetMaxStaleness().AsDuration(); age != time.Second {
		t.Errorf("staleness is %v", age)
	}
}

func strongRead() *quipuv1.ReadConsistency {
	return &quipuv1.ReadConsistency{Level: &quipuv1.ReadConsistency_Strong{Strong: &quipuv1.StrongRead{}}}
}

func TestASessionSeesWhatItsClientWrote(t *testing.T) {
	server, client := serve(t, quipu.WithSpace("ann"))
	ctx := context.Background()
	both := &quipu.SearchOptions{Spaces: []string{"ann", "bob"}, Consistency: quipu.Session()}
	result := client.Search(ctx, "x", both)
	client.AddMany(ctx, numbered(2), nil)
	client.Add(ctx, "x", nil)
	quipu.Collect(result.Hits())
	client.Delete(ctx, "m1", nil)
	quipu.Collect(result.Hits())
	least := &quipu.SearchOptions{Consistency: quipu.AtLeast(map[string]int64{"bob": 7})}
	quipu.Collect(client.Search(ctx, "x", least).Hits())
	then := &quipu.SearchOptions{Consistency: quipu.AsOf(map[string]int64{"bob": 5})}
	quipu.Collect(client.Search(ctx, "x", then).Hits())
	last := asked[*quipuv1.SearchRequest](server)[3].GetConsistency().GetAsOf().GetRevisions()
	if !maps.Equal(last, map[string]int64{"spaces/bob": 5}) {
		t.Errorf("asked for the past %v", last)
	}
	for i, expected := range []map[string]int64{
		{"spaces/ann": 3, "spaces/bob": 0}, {"spaces/ann": 9, "spaces/bob": 0}, {"spaces/bob": 7},
	} {
		found := asked[*quipuv1.SearchRequest](server)[i].GetConsistency().GetAtLeast().GetRevisions()
		for space, revision := range expected {
			if len(found) != len(expected) || found[space] != revision {
				t.Errorf("asked for %v, expected %v", found, expected)
			}
		}
	}
}
