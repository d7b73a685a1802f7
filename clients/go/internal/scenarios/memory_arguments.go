package main

import (
	"strings"

	"github.com/quipu-memory/quipu/clients/go"
	"github.com/quipu-memory/quipu/clients/go/quipuv1"
)

// What a memory has beside its content.
var fieldNames = []string{
	"kind", "role", "speaker", "session", "tags", "metadata", "importance", "event_time", "expire_time", "vector",
}

func (a *arguments) fields() quipu.Fields {
	return quipu.Fields{
		Kind:       quipuv1.MemoryKind(a.enum("kind", "MEMORY_KIND_", quipuv1.MemoryKind_value)),
		Role:       quipuv1.Role(a.enum("role", "ROLE_", quipuv1.Role_value)),
		Speaker:    a.text("speaker"),
		Session:    a.text("session"),
		Tags:       a.texts("tags"),
		Metadata:   a.mapping("metadata"),
		Importance: a.numberOrNil("importance"),
		EventTime:  a.time("event_time"),
		ExpireTime: a.time("expire_time"),
		Vector:     a.vector("vector"),
	}
}

// cleared gives those of some fields that are given as null or as an empty text.
func (a *arguments) cleared(names []string) []string {
	var found []string
	for _, name := range names {
		if value, isGiven := a.values[name]; isGiven && (value == nil || value == "") {
			delete(a.unread, name)
			found = append(found, name)
		}
	}
	return found
}

// enum gives the number of a name in lower case.
func (a *arguments) enum(name, prefix string, numbers map[string]int32) int32 {
	text := a.text(name)
	if text == "" {
		return 0
	}
	found, isKnown := numbers[prefix+strings.ToUpper(text)]
	if !isKnown {
		a.fail(name, text, "a name of a value")
	}
	return found
}

func (a *arguments) purpose() quipuv1.EmbeddingPurpose {
	return quipuv1.EmbeddingPurpose(a.enum("purpose", "EMBEDDING_PURPOSE_", quipuv1.EmbeddingPurpose_value))
}

// filter gives a condition as text or as a tree.
func (a *arguments) filter() (string, *quipu.Filter) {
	value, _ := a.value("filter")
	if _, isTree := value.(map[string]any); !isTree {
		return a.text("filter"), nil
	}
	tree := &quipu.Filter{}
	a.message("filter", tree)
	return "", tree
}

// drafts is a list of texts and mappings.
func (a *arguments) drafts(name string) []quipu.Draft {
	items := a.list(name)
	drafts := make([]quipu.Draft, 0, len(items))
	for _, item := range items {
		if text, isText := item.(string); isText {
			drafts = append(drafts, quipu.Draft{Content: text})
			continue
		}
		one := newArguments(item)
		drafts = append(drafts, quipu.Draft{ID: one.text("id"), Content: one.text("content"), Fields: one.fields()})
		if err := one.problem(); err != nil && a.err == nil {
			a.err = err
		}
	}
	return drafts
}
