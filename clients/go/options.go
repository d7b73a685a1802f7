package quipu

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	// DefaultAddress is where a server listens that was started without options.
	DefaultAddress = "localhost:50051"
	// DefaultSpace is the space of calls without one, unless WithSpace names another.
	DefaultSpace = "default"
	// DefaultTimeout is the time for a call whose context has no deadline, unless WithTimeout gives another.
	DefaultTimeout = 30 * time.Second
)

// Option changes how a client connects.
type Option func(*settings)

type settings struct {
	space       string
	apiKey      string
	timeout     time.Duration
	tls         *TLS
	credentials credentials.TransportCredentials
	dialOptions []grpc.DialOption
}

func newSettings(options []Option) *settings {
	chosen := &settings{space: DefaultSpace, timeout: DefaultTimeout, credentials: insecure.NewCredentials()}
	for _, option := range options {
		option(chosen)
	}
	return chosen
}

// WithSpace says what calls without a space mean.
func WithSpace(space string) Option {
	return func(s *settings) { s.space = space }
}

// WithAPIKey sends a key with every call, as `authorization: Bearer {key}`. Use it together with TLS.
func WithAPIKey(key string) Option {
	return func(s *settings) { s.apiKey = key }
}

// WithTimeout gives the time for calls whose context has no deadline, retries included. It must be positive.
func WithTimeout(timeout time.Duration) Option {
	return func(s *settings) { s.timeout = timeout }
}

// WithTLS encrypts the connection.
func WithTLS(tls TLS) Option {
	return func(s *settings) { s.tls = &tls }
}

// WithTransportCredentials encrypts the connection: credentials.NewTLS(nil) trusts what the system trusts. Without it
// nothing is encrypted.
func WithTransportCredentials(transport credentials.TransportCredentials) Option {
	return func(s *settings) { s.credentials = transport }
}

// WithDialOptions passes options on to gRPC, after and over those of the client.
func WithDialOptions(options ...grpc.DialOption) Option {
	return func(s *settings) { s.dialOptions = append(s.dialOptions, options...) }
}
