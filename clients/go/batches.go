package quipu

import (
	"iter"

	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/protobuf/proto"
)

const (
	// In one call, of the 500 that the server takes: small enough for progress, large enough for speed.
	mostMemories = 100
	// In one call; half of what the server takes by default.
	mostBytes = 8 << 20
)

// batches splits into runs of at most mostMemories and, unless one alone is larger, mostBytes.
func batches(requests []*quipuv1.CreateMemoryRequest) iter.Seq[[]*quipuv1.CreateMemoryRequest] {
	return func(yield func([]*quipuv1.CreateMemoryRequest) bool) {
		start, size := 0, 0
		for i, request := range requests {
			length := proto.Size(request)
			if i > start && (i-start == mostMemories || size+length > mostBytes) {
				if !yield(requests[start:i]) {
					return
				}
				start, size = i, 0
			}
			size += length
		}
		if start < len(requests) {
			yield(requests[start:])
		}
	}
}

// parts splits into runs of at most a number of items.
func parts[T any](items []T, most int) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		for start := 0; start < len(items); start += most {
			if !yield(items[start:min(start+most, len(items))]) {
				return
			}
		}
	}
}
