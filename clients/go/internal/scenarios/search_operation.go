package main

import (
	"errors"
	"fmt"

	"github.com/quipu-memory/quipu/clients/go"
	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/protobuf/types/known/durationpb"
)

// searchOptions are those that say where and how to look.
func (i *invocation) searchOptions() *quipu.SearchOptions {
	options := &quipu.SearchOptions{
		Spaces:       i.with.spaceNames(),
		Mode:         quipuv1.SearchMode(i.with.enum("mode", "SEARCH_MODE_", quipuv1.SearchMode_value)),
		K:            int32(i.with.number("k")),
		MinRelevance: i.with.number("min_relevance"),
		Ranking:      i.with.ranking(),
		Explain:      i.with.flag("explain"),
		Consistency:  i.with.consistency(),
	}
	options.Filter, options.FilterTree = i.with.filter()
	if _, isGiven := i.with.value("expand_context"); isGiven {
		options.ExpandContext = quipu.Ptr(int32(i.with.number("expand_context")))
	}
	return options
}

func search(i *invocation) (any, error) {
	options := i.searchOptions()
	if i.with.values["k"] == 0 { // in Go it stands for the default
		return nil, fmt.Errorf("k: 0: %w", errUnsayable)
	}
	result, err := i.query(options)
	if err != nil {
		return nil, err
	}
	hits, err := listing(result.Hits(), i.take)
	if err != nil {
		return nil, err
	}
	found := map[string]any{"hits": hits}
	if i.take == nil {
		if found["summary"], err = plain(result.Summary()); err != nil {
			return nil, err
		}
		if said := result.Contexts(); len(said) > 0 {
			found["contexts"], err = contexts(said)
		}
	}
	return found, err
}

// query starts the search by whichever of text, vector and example is given.
func (i *invocation) query(options *quipu.SearchOptions) (*quipu.SearchResult, error) {
	_, isText := i.with.value("text")
	_, isVector := i.with.value("vector")
	_, isExample := i.with.value("example")
	text, vector, example := i.with.text("text"), i.with.vector("vector"), i.with.id("example")
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	switch {
	case isText && !isVector && !isExample:
		return i.client.Search(i.ctx, text, options), nil
	case isVector && !isText && !isExample:
		return i.client.SearchVector(i.ctx, vector, options), nil
	case isExample && !isText && !isVector:
		return i.client.SearchLike(i.ctx, example, options), nil
	}
	return nil, errors.New("a search needs exactly one of text, vector, example")
}

// spaceNames is one space or a list of them.
func (a *arguments) spaceNames() []string {
	value, _ := a.value("space")
	if _, isList := value.([]any); isList {
		return a.texts("space")
	}
	if one := a.text("space"); one != "" {
		return []string{one}
	}
	return nil
}

// consistency is strong, session, revisions by space, those of the past below as_of, or seconds.
func (a *arguments) consistency() quipu.Consistency {
	value, isGiven := a.value("consistency")
	if !isGiven || value == "strong" {
		return quipu.Strong()
	}
	if value == "session" {
		return quipu.Session()
	}
	revisions, isMapping := value.(map[string]any)
	if !isMapping {
		return quipu.MaxStaleness(a.seconds("consistency", value))
	}
	past, isPast := revisions["as_of"].(map[string]any)
	if isPast {
		return quipu.AsOf(a.revisions(past))
	}
	return quipu.AtLeast(a.revisions(revisions))
}

func (a *arguments) revisions(revisions map[string]any) map[string]int64 {
	wanted := map[string]int64{}
	for space, revision := range revisions {
		least, isNumber := number(revision)
		if !isNumber {
			a.fail("consistency", revision, "a revision")
		}
		wanted[space] = int64(least)
	}
	return wanted
}

func (a *arguments) ranking() *quipu.RankingWeights {
	given := a.mapping("ranking")
	if given == nil {
		return nil
	}
	weights := newArguments(given)
	made := &quipu.RankingWeights{
		Dense:      weights.numberOrNil("dense"),
		Lexical:    weights.numberOrNil("lexical"),
		Importance: weights.numberOrNil("importance"),
		Recency:    weights.numberOrNil("recency"),
		Neighbours: weights.numberOrNil("neighbours"),
		Session:    weights.numberOrNil("session"),
		Role:       weights.numberOrNil("role"),
		Feedback:   weights.numberOrNil("feedback"),
		Formula:    quipuv1.RankingFormula(weights.enum("formula", "RANKING_FORMULA_", quipuv1.RankingFormula_value)),
	}
	if length, isGiven := weights.value("recency_half_life"); isGiven {
		made.RecencyHalfLife = durationpb.New(weights.seconds("recency_half_life", length))
	}
	if err := weights.problem(); err != nil && a.err == nil {
		a.err = err
	}
	return made
}
