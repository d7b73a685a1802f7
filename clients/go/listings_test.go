package quipu_test

import (
	"context"
	"errors"
	"testing"

	"github.com/quipu-memory/quipu/clients/go"
	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/grpc/codes"
)

func TestAListGoesThroughAllPages(t *testing.T) {
	server, client := serve(t)
	client.AddMany(context.Background(), numbered(5), nil)
	listing := client.List(context.Background(), &quipu.ListOptions{Descending: true, Filter: "x"})
	for range 2 { // each range begins anew
		memories, err := quipu.Collect(listing)
		if err != nil || len(memories) != 5 || memories[4].GetContent() != "note 4" {
			t.Errorf("listed %v, %v", memories, err)
		}
	}
	pages := asked[*quipuv1.ListMemoriesRequest](server)
	if len(pages) != 6 || pages[3].GetPageToken() != "" {
		t.Errorf("asked for %v", pages)
	}
	if pages[0].GetOrderBy() != "create_time desc" || pages[0].GetPageSize() != 100 || pages[0].GetFilter() != "x" {
		t.Errorf("asked for %v", pages[0])
	}
}

func TestPagesAreFetchedAsTheyAreNeeded(t *testing.T) {
	server, client := serve(t)
	client.AddMany(context.Background(), numbered(5), nil)
	listing := client.List(context.Background(), nil)
	if len(asked[*quipuv1.ListMemoriesRequest](server)) != 0 {
		t.Error("asked before a range")
	}
	for range listing {
		break
	}
	if pages := len(asked[*quipuv1.ListMemoriesRequest](server)); pages != 1 {
		t.Errorf("asked for %d pages", pages)
	}
}

func TestAnErrorEndsAListing(t *testing.T) {
	server, client := serve(t)
	client.AddMany(context.Background(), numbered(5), nil)
	server.failures = []error{nil, refusal(codes.InvalidArgument, "INVALID_PAGE_TOKEN", "old")}
	memories, err := quipu.Collect(client.List(context.Background(), nil))
	if len(memories) != 2 || !errors.Is(err, quipu.ErrInvalidArgument) {
		t.Errorf("listed %d, %v", len(memories), err)
	}
}

func TestEveryListingEndsWithItsError(t *testing.T) {
	_, client := serve(t)
	ctx := context.Background()
	_, history := quipu.Collect(client.History(ctx, "m", nil))
	_, spaces := quipu.Collect(client.Spaces(ctx, nil))
	for _, err := range []error{history, spaces} {
		if !errors.Is(err, quipu.ErrUnimplemented) {
			t.Errorf("found %v", err)
		}
	}
}
