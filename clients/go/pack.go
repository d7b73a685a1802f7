package quipu

import (
	"context"

	"github.com/quipu-memory/quipu/clients/go/quipuv1"
)

// PackOptions are for Pack.
type PackOptions struct {
	// Search says where and how to look. Two defaults are others than in Search: K is 50, ExpandContext 1. Explain has no
	// effect.
	Search SearchOptions
	// Session whose newest messages end the text: an id in the first space, or a name.
	Session string
	// WindowMessages is the most messages of the session, 1 to 1,000; by default only tokens limit them.
	WindowMessages int32
	// WindowTokens is the most tokens of the session; default: half of the budget.
	WindowTokens *int32
	// Model that counts the tokens; default: that of the first space.
	Model string
}

// Pack makes a text for a prompt of at most so many tokens: the newest messages of a session, what a search for the text
// finds, and what was said around it.
func (c *Client) Pack(ctx context.Context, text string, tokenBudget int32, options *PackOptions) (*Pack, error) {
	chosen := orDefault(options)
	search := c.search(ctx, &chosen.Search)
	search.request.Query = &quipuv1.SearchRequest_Text{Text: text}
	search.request.Consistency = search.consistency.message(c, search.request.GetSpaces())
	request := &quipuv1.PackContextRequest{
		Search:         search.request,
		TokenBudget:    tokenBudget,
		Model:          modelName(chosen.Model),
		WindowMessages: chosen.WindowMessages,
		WindowTokens:   chosen.WindowTokens,
	}
	if chosen.Session != "" {
		request.Session = c.sessionName(chosen.Session, search.request.GetSpaces()[0])
	}
	return unary(ctx, c.wire, c.searches.PackContext, request)
}
