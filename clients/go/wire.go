package quipu

import (
	"context"
	"math"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
)

// Five attempts are the most gRPC allows; the waits between them, 0.2 + 0.8 + 3.2 + 5 s, outlast a slow restart. gRPC
// varies every wait at random by a fifth. Mutations carry request ids, so that sending one twice has one effect.
const serviceConfig = `{
  "methodConfig": [{
    "name": [{}],
    "retryPolicy": {
      "maxAttempts": 5,
      "initialBackoff": "0.2s",
      "maxBackoff": "5s",
      "backoffMultiplier": 4,
      "retryableStatusCodes": ["UNAVAILABLE"]
    }
  }]
}`

// A request longer than this is not sent again. gRPC's 256 KiB would leave out most batches; a batch is at most
// mostBytes long, or one memory.
const retryBufferBytes = 2 * mostBytes

// How long to wait between attempts to connect: shorter than gRPC does, so that a restarted server is found soon.
var reconnection = backoff.Config{
	BaseDelay:  100 * time.Millisecond,
	Multiplier: 1.6,
	Jitter:     0.2,
	MaxDelay:   time.Second,
}

// A call that waits for long, as a watch does, must learn when the server's machine is gone.
var liveness = keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 20 * time.Second}

// wire is what all calls of a client have in common.
type wire struct {
	address string
	apiKey  string
	timeout time.Duration
}

func dialOptions(s *settings) []grpc.DialOption {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(s.credentials),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(math.MaxInt32), // the server has the limit
			grpc.MaxRetryRPCBufferSize(retryBufferBytes),
		),
		grpc.WithKeepaliveParams(liveness),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           reconnection,
			MinConnectTimeout: 20 * time.Second,
		}),
	}
	return append(options, s.dialOptions...)
}

// begin gives the context of one call: with a deadline and the credential.
func (w *wire) begin(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx = w.identified(ctx)
	if _, isLimited := ctx.Deadline(); isLimited {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, w.timeout)
}

// identified gives a context with the credential.
func (w *wire) identified(ctx context.Context) context.Context {
	if w.apiKey == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+w.apiKey)
}

// unary makes a call with one answer. Its errors are of type *Error.
func unary[Q, R any](
	ctx context.Context, w *wire, method func(context.Context, *Q, ...grpc.CallOption) (*R, error), request *Q,
) (*R, error) {
	ctx, cancel := w.begin(ctx)
	defer cancel()
	var trailer metadata.MD
	response, err := method(ctx, request, grpc.Trailer(&trailer))
	if err != nil {
		return nil, w.failure(err, request, trailer)
	}
	return response, nil
}
