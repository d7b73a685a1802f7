package quipu

import (
	"context"

	"github.com/quipu-memory/quipu/clients/go/quipuv1"
)

// SearchOptions are for Search, SearchVector and SearchLike.
type SearchOptions struct {
	// Spaces to search as if they were one, 1 to 16; default: that of the client.
	Spaces []string
	// Mode is ModeHybrid (default), ModeDense (default for a vector) or ModeLexical.
	Mode quipuv1.SearchMode
	// K is the most hits, 1 to 1,000; default 10.
	K int32
	// Filter is a condition such as `session = "s1" AND NOT tags = "draft"`.
	Filter string
	// FilterTree is the condition as a tree; with it, Filter has no effect.
	FilterTree *Filter
	// MinRelevance is the least relevance of a hit, 0 to 1; default 0.
	MinRelevance float64
	// Ranking has weights for this search, over those of the space.
	Ranking *RankingWeights
	// Explain asks for every term of each score, and the time of each stage.
	Explain bool
	// ExpandContext asks for so many messages before and after each hit, 0 to 20: SearchResult.Contexts has them.
	ExpandContext *int32
	// Consistency says how fresh the answer must be; default Strong().
	Consistency Consistency
}

// Search finds memories by a question or some words, best first.
func (c *Client) Search(ctx context.Context, text string, options *SearchOptions) *SearchResult {
	result := c.search(ctx, options)
	result.request.Query = &quipuv1.SearchRequest_Text{Text: text}
	return result
}

// SearchVector finds memories by a vector made with the model of the spaces, best first.
func (c *Client) SearchVector(ctx context.Context, vector []float32, options *SearchOptions) *SearchResult {
	result := c.search(ctx, options)
	result.request.Query = &quipuv1.SearchRequest_Vector{Vector: &quipuv1.Vector{Values: vector}}
	return result
}

// SearchLike finds memories that are like one of them, which is not among the hits; best first. An id means a memory of
// the space that is searched, and of the client's when several are.
func (c *Client) SearchLike(ctx context.Context, memory string, options *SearchOptions) *SearchResult {
	result := c.search(ctx, options)
	space := ""
	if spaces := result.request.GetSpaces(); len(spaces) == 1 {
		space = spaces[0]
	}
	result.request.Query = &quipuv1.SearchRequest_Example{Example: c.memoryName(memory, space)}
	return result
}

// search builds a search without its query.
func (c *Client) search(ctx context.Context, options *SearchOptions) *SearchResult {
	chosen := orDefault(options)
	request := &quipuv1.SearchRequest{
		Spaces:        c.spaceNames(chosen.Spaces),
		Mode:          chosen.Mode,
		MinRelevance:  chosen.MinRelevance,
		Ranking:       chosen.Ranking,
		Explain:       chosen.Explain,
		ExpandContext: chosen.ExpandContext,
	}
	if chosen.K != 0 {
		request.K = &chosen.K
	}
	if chosen.FilterTree != nil {
		request.Filtering = &quipuv1.SearchRequest_FilterTree{FilterTree: chosen.FilterTree}
	} else if chosen.Filter != "" {
		request.Filtering = &quipuv1.SearchRequest_Filter{Filter: chosen.Filter}
	}
	return &SearchResult{ctx: ctx, client: c, request: request, consistency: chosen.Consistency}
}
