package quipu

import (
	"maps"
	"slices"
	"time"

	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Fields are what a memory has beside its content. All are optional; zero values are not set.
type Fields struct {
	// Kind is the sort of memory, such as KindSemantic; default KindEpisodic.
	Kind quipuv1.MemoryKind
	// Role says who spoke, such as RoleUser, when the memory is a message.
	Role quipuv1.Role
	// Speaker is the name of the speaker or author, at most 256 bytes. Part of the indexed text.
	Speaker string
	// Session is the id of the session this memory belongs to: letters, digits, `.`, `_`, `~`, `-`, at most 128.
	Session string
	// Tags are labels: at most 64, each 1 to 128 bytes.
	Tags []string
	// Metadata is what to filter by: at most 64 keys of 1 to 128 bytes, 16,384 bytes in all. ToValue says which values
	// there are; a key with nil is left out, or removed by an update that merges.
	Metadata map[string]any
	// Importance says how much the memory matters, 0 to 1; default 0.5.
	Importance *float64
	// EventTime is when the thing happened or was said. Part of the indexed text; recency counts from it.
	EventTime time.Time
	// ExpireTime is when the memory ends; it must lie in the future.
	ExpireTime time.Time
	// Vector was made by the caller with the model of the space; without one the server embeds the content.
	Vector []float32
}

// Draft is a memory to add.
type Draft struct {
	// ID of the new memory: 1 to 128 letters, digits, `.`, `_`, `~`, `-`. Without one the server makes one.
	ID string
	// Content is what to remember: 1 to 32,768 bytes of UTF-8.
	Content string
	Fields
}

func (d *Draft) request() (*quipuv1.CreateMemoryRequest, error) {
	memory := &quipuv1.Memory{Content: d.Content}
	if _, err := d.fill(memory); err != nil {
		return nil, err
	}
	return &quipuv1.CreateMemoryRequest{MemoryId: d.ID, Memory: memory}, nil
}

// fill sets in a memory what is given, and returns the names of those fields.
func (f *Fields) fill(memory *quipuv1.Memory) ([]string, error) {
	metadata, err := toMetadata(f.Metadata)
	if err != nil {
		return nil, err
	}
	var paths []string
	set := func(path string, isGiven bool, assign func()) {
		if isGiven {
			assign()
			paths = append(paths, path)
		}
	}
	set("kind", f.Kind != 0, func() { memory.Kind = f.Kind })
	set("role", f.Role != 0, func() { memory.Role = f.Role })
	set("speaker", f.Speaker != "", func() { memory.Speaker = f.Speaker })
	set("session", f.Session != "", func() { memory.Session = f.Session })
	set("tags", f.Tags != nil, func() { memory.Tags = f.Tags })
	set("metadata", f.Metadata != nil, func() { memory.Metadata = metadata })
	set("importance", f.Importance != nil, func() { memory.Importance = f.Importance })
	set("event_time", !f.EventTime.IsZero(), func() { memory.EventTime = timestamppb.New(f.EventTime) })
	set("expire_time", !f.ExpireTime.IsZero(), func() { memory.ExpireTime = timestamppb.New(f.ExpireTime) })
	set("vector", f.Vector != nil, func() { memory.Vector = &quipuv1.Vector{Values: f.Vector} })
	return paths, nil
}

func toMetadata(plain map[string]any) (map[string]*quipuv1.Value, error) {
	metadata := make(map[string]*quipuv1.Value, len(plain))
	for _, key := range slices.Sorted(maps.Keys(plain)) {
		if plain[key] == nil {
			continue
		}
		value, err := ToValue(plain[key])
		if err != nil {
			return nil, invalid("metadata."+key, "%v", err)
		}
		metadata[key] = value
	}
	return metadata, nil
}
