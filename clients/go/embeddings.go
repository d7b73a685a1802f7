package quipu

import (
	"context"

	"github.com/quipu-memory/quipu/clients/go/quipuv1"
)

// The most texts in one call.
const mostTexts = 256

// EmbedOptions are for Embed.
type EmbedOptions struct {
	// Model to embed with; default: the default model of the server.
	Model string
	// Purpose is PurposePassage (default) or PurposeQuery.
	Purpose quipuv1.EmbeddingPurpose
}

// Embed embeds texts of 1 to 32,768 bytes as the server does for its own use, and returns an embedding for each. A text
// within the window of the model has one chunk; vectors have unit length. A context without a deadline gets that of the
// client for each 256 texts.
func (c *Client) Embed(ctx context.Context, texts []string, options *EmbedOptions) ([]*TextEmbedding, error) {
	chosen := orDefault(options)
	embeddings := make([]*TextEmbedding, 0, len(texts))
	for part := range parts(texts, mostTexts) {
		request := &quipuv1.EmbedRequest{Model: modelName(chosen.Model), Texts: part, Purpose: chosen.Purpose}
		response, err := unary(ctx, c.wire, c.embeddings.Embed, request)
		if err != nil {
			return nil, err
		}
		embeddings = append(embeddings, response.GetEmbeddings()...)
	}
	return embeddings, nil
}

// Models lists the models of the server, the default one first.
func (c *Client) Models(ctx context.Context) ([]*EmbeddingModel, error) {
	response, err := unary(ctx, c.wire, c.embeddings.ListModels, &quipuv1.ListModelsRequest{})
	return response.GetModels(), err
}

// CountTokensOptions are for CountTokens.
type CountTokensOptions struct {
	// Model to count as; default: the default model of the server.
	Model string
}

// CountTokens counts the tokens of each text, without the special tokens of the model. A context without a deadline
// gets that of the client for each 256 texts.
func (c *Client) CountTokens(ctx context.Context, texts []string, options *CountTokensOptions) ([]int32, error) {
	counts := make([]int32, 0, len(texts))
	for part := range parts(texts, mostTexts) {
		request := &quipuv1.CountTokensRequest{Model: modelName(orDefault(options).Model), Texts: part}
		response, err := unary(ctx, c.wire, c.embeddings.CountTokens, request)
		if err != nil {
			return nil, err
		}
		counts = append(counts, response.GetTokenCounts()...)
	}
	return counts, nil
}
