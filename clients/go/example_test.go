package quipu_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/quipu-memory/quipu/clients/go"
	"google.golang.org/grpc/codes"
)

// exampleAddress is that of a server with nothing in it.
func exampleAddress() string {
	address, _ := listen(&fake{})
	return address
}

func Example() {
	ctx := context.Background()
	client, err := quipu.Connect(exampleAddress(), quipu.WithSpace("ann"))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	if _, err := client.Add(ctx, "We adopted a cat. Her name is Miso.", nil); err != nil {
		log.Fatal(err)
	}
	for hit, err := range client.Search(ctx, "Whose cat is it?", nil).Hits() {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(hit.GetMemory().GetContent())
	}
	// Output: We adopted a cat. Her name is Miso.
}

func ExampleClient_Add() {
	client, err := quipu.Connect(exampleAddress(), quipu.WithSpace("ann"))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	memory, err := client.Add(context.Background(), "We adopted a cat.", &quipu.AddOptions{
		ID: "cat",
		Fields: quipu.Fields{
			Speaker:    "Ann",
			Role:       quipu.RoleUser,
			EventTime:  time.Date(2023, 5, 8, 13, 56, 0, 0, time.UTC),
			Tags:       []string{"pets"},
			Metadata:   map[string]any{"city": "Lisbon", "mood": 0.9},
			Importance: quipu.Ptr(0.8),
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(memory.GetName(), memory.GetTags(), quipu.Metadata(memory)["city"])
	// Output: spaces/ann/memories/cat [pets] Lisbon
}

func ExampleClient_AddMany() {
	client, err := quipu.Connect(exampleAddress())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	stored, err := client.AddMany(context.Background(), []quipu.Draft{
		{Content: "Miso sleeps on the radiator in winter.", Fields: quipu.Fields{Tags: []string{"pets"}}},
		{Content: "Releases go out on Tuesdays.", Fields: quipu.Fields{Kind: quipu.KindProcedural}},
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(stored))
	// Output: 2
}

func ExampleClient_List() {
	ctx := context.Background()
	client, err := quipu.Connect(exampleAddress())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	drafts := []quipu.Draft{{Content: "one"}, {Content: "two"}, {Content: "three"}}
	if _, err := client.AddMany(ctx, drafts, nil); err != nil {
		log.Fatal(err)
	}

	for memory, err := range client.List(ctx, &quipu.ListOptions{PageSize: 2}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(memory.GetContent())
	}
	// Output:
	// one
	// two
	// three
}

func ExampleSearchResult_Summary() {
	ctx := context.Background()
	client, err := quipu.Connect(exampleAddress())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Add(ctx, "The flat in Lisbon has a balcony.", nil); err != nil {
		log.Fatal(err)
	}

	result := client.Search(ctx, "balcony", &quipu.SearchOptions{K: 5, Mode: quipu.ModeLexical})
	hits, err := quipu.Collect(result.Hits())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(hits), result.Summary().GetComplete())
	// Output: 1 true
}

func ExampleError() {
	client, err := quipu.Connect(exampleAddress())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	_, err = client.Get(context.Background(), "nothing", nil)
	if errors.Is(err, quipu.ErrNotFound) {
		fmt.Println("not there")
	}
	var failed *quipu.Error
	if errors.As(err, &failed) {
		fmt.Println(failed.Code == codes.NotFound, failed.Reason, failed.Retryable())
	}
	// Output:
	// not there
	// true MEMORY_NOT_FOUND false
}
