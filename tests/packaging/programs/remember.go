package main

import (
	"context"
	"fmt"
	"os"

	"github.com/quipu-memory/quipu/clients/go"
)

func main() {
	ctx := context.Background()
	client, _ := quipu.Connect(os.Args[1], quipu.WithSpace("go"))
	defer client.Close()
	client.Add(ctx, "Ann is allergic to peanuts.", &quipu.AddOptions{Fields: quipu.Fields{Tags: []string{"health"}}})
	client.Add(ctx, "We hiked along the coast and saw dolphins.", nil)
	result := client.Search(ctx, "What must Ann not eat?", &quipu.SearchOptions{K: 1})
	for hit, err := range result.Hits() {
		fmt.Println(hit.GetMemory().GetContent(), err)
	}
	fmt.Println(result.Summary().GetComplete())
}
