package quipu_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/quipu-memory/quipu/clients/go"
	"github.com/quipu-memory/quipu/clients/go/quipuv1"
)

func (f *fake) Embed(_ context.Context, request *quipuv1.EmbedRequest) (*quipuv1.EmbedResponse, error) {
	response := &quipuv1.EmbedResponse{}
	for _, text := range request.GetTexts() {
		chunk := &quipuv1.ChunkEmbedding{Vector: &quipuv1.Vector{Values: []float32{float32(len(text))}}}
		response.Embeddings = append(response.Embeddings, &quipuv1.TextEmbedding{Chunks: []*quipuv1.ChunkEmbedding{chunk}})
	}
	return response, nil
}

func (f *fake) CountTokens(
	_ context.Context, request *quipuv1.CountTokensRequest,
) (*quipuv1.CountTokensResponse, error) {
	response := &quipuv1.CountTokensResponse{}
	for _, text := range request.GetTexts() {
		response.TokenCounts = append(response.TokenCounts, int32(len(text)))
	}
	return response, nil
}

func TestManyTextsGoInCallsOf256(t *testing.T) {
	server, client := serve(t)
	texts := make([]string, 600)
	for i := range texts {
		texts[i] = fmt.Sprintf("%*d", i+1, i)
	}
	options := &quipu.EmbedOptions{Model: "m", Purpose: quipu.PurposeQuery}
	embeddings, err := client.Embed(context.Background(), texts, options)
	if err != nil || len(embeddings) != 600 || embeddings[599].GetChunks()[0].GetVector().GetValues()[0] != 600 {
		t.Errorf("embedded %d, %v", len(embeddings), err)
	}
	counts, err := client.CountTokens(context.Background(), texts, nil)
	if err != nil || len(counts) != 600 || counts[599] != 600 {
		t.Errorf("counted %d, %v", len(counts), err)
	}
	var sizes []int
	for _, request := range asked[*quipuv1.EmbedRequest](server) {
		sizes = append(sizes, len(request.GetTexts()))
		if request.GetModel() != "models/m" || request.GetPurpose() != quipu.PurposeQuery {
			t.Errorf("asked for %s, %v", request.GetModel(), request.GetPurpose())
		}
	}
	if !slices.Equal(sizes, []int{256, 256, 88}) {
		t.Errorf("calls of %v", sizes)
	}
}

func TestNoTextsNeedNoCall(t *testing.T) {
	server, client := serve(t)
	embeddings, err := client.Embed(context.Background(), nil, nil)
	if err != nil || len(embeddings) != 0 || len(server.requests) != 0 {
		t.Errorf("embedded %v, %v", embeddings, err)
	}
}
