package quipu

import (
	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/grpc"
)

// Client speaks to a server. It may be used by many goroutines at once; make one and keep it.
type Client struct {
	wire       *wire
	connection *grpc.ClientConn
	space      string
	seen       revisions

	memories   quipuv1.MemoryServiceClient
	searches   quipuv1.SearchServiceClient
	sessions   quipuv1.SessionServiceClient
	spaces     quipuv1.SpaceServiceClient
	jobs       quipuv1.JobServiceClient
	retention  quipuv1.RetentionServiceClient
	embeddings quipuv1.EmbeddingServiceClient
	indexes    quipuv1.IndexServiceClient
}

// Connect makes a client for the server at an address, `host:port`. The connection is made at the first call, so that
// an error here is one of the arguments.
func Connect(address string, options ...Option) (*Client, error) {
	chosen := newSettings(options)
	if address == "" {
		return nil, invalid("address", "is empty")
	}
	if chosen.timeout <= 0 {
		return nil, invalid("timeout", "must be positive, not %v", chosen.timeout)
	}
	if chosen.tls != nil {
		transport, err := chosen.tls.credentials()
		if err != nil {
			return nil, invalid("tls", "%v", err)
		}
		chosen.credentials = transport
	}
	connection, err := grpc.NewClient(address, dialOptions(chosen)...)
	if err != nil {
		return nil, invalid("address", "%v", err)
	}
	return newClient(&wire{address, chosen.apiKey, chosen.timeout}, connection, chosen.space), nil
}

func newClient(wire *wire, connection *grpc.ClientConn, space string) *Client {
	return &Client{
		wire:       wire,
		connection: connection,
		space:      space,
		memories:   quipuv1.NewMemoryServiceClient(connection),
		searches:   quipuv1.NewSearchServiceClient(connection),
		sessions:   quipuv1.NewSessionServiceClient(connection),
		spaces:     quipuv1.NewSpaceServiceClient(connection),
		jobs:       quipuv1.NewJobServiceClient(connection),
		retention:  quipuv1.NewRetentionServiceClient(connection),
		embeddings: quipuv1.NewEmbeddingServiceClient(connection),
		indexes:    quipuv1.NewIndexServiceClient(connection),
	}
}

// Close ends the connection and the calls on it.
func (c *Client) Close() error {
	return c.connection.Close()
}
