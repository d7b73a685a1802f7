package quipu

import (
	"context"

	"github.com/quipu-memory/quipu/clients/go/quipuv1"
)

// DescribeIndexOptions are for DescribeIndex.
type DescribeIndexOptions struct {
	// RecallSample is how many memories to check with what the index finds of what is there, at most 100; 0 checks
	// nothing.
	RecallSample int32
}

// DescribeIndex describes what the server that answers holds of a space in memory; "" means the space of the client. It
// fails with ErrNotFound.
func (c *Client) DescribeIndex(
	ctx context.Context, space string, options *DescribeIndexOptions,
) (*IndexDescription, error) {
	request := &quipuv1.DescribeIndexRequest{
		Space:        c.spaceName(space),
		RecallSample: orDefault(options).RecallSample,
	}
	response, err := unary(ctx, c.wire, c.indexes.DescribeIndex, request)
	return response.GetIndex(), err
}
