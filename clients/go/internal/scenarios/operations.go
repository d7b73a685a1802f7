package main

import (
	"context"

	"github.com/quipu-memory/quipu/clients/go"
)

// invocation is what an operation gets.
type invocation struct {
	ctx    context.Context
	client *quipu.Client
	with   *arguments
	take   *int
}

type operation func(*invocation) (any, error)

// operations by their names in Python. Each gives its result as scenarios write it.
var operations = map[string]operation{
	"add":                     add,
	"add_many":                addMany,
	"get":                     get,
	"get_many":                getMany,
	"list":                    list,
	"update":                  update,
	"delete":                  remove,
	"undelete":                undelete,
	"feedback":                feedback,
	"archive":                 archive,
	"unarchive":               unarchive,
	"erase":                   erase,
	"create_retention_policy": createRetentionPolicy,
	"get_retention_policy":    getRetentionPolicy,
	"retention_policies":      retentionPolicies,
	"update_retention_policy": updateRetentionPolicy,
	"delete_retention_policy": deleteRetentionPolicy,
	"run_retention":           runRetention,
	"history":                 history,
	"search":                  search,
	"watch":                   watch,
	"ingest":                  ingest,
	"append":                  appendMessages,
	"get_session":             getSession,
	"sessions":                sessions,
	"messages":                messages,
	"window":                  window,
	"update_session":          updateSession,
	"end_session":             endSession,
	"delete_session":          deleteSession,
	"pack":                    pack,
	"create_space":            createSpace,
	"get_space":               getSpace,
	"spaces":                  spaces,
	"update_space":            updateSpace,
	"delete_space":            deleteSpace,
	"embed":                   embed,
	"models":                  models,
	"count_tokens":            countTokens,
	"describe_index":          describeIndex,
	"create_tenant":           createTenant,
	"create_api_key":          createAPIKey,
	"rotate_api_key":          rotateAPIKey,
	"revoke_api_key":          revokeAPIKey,
}

func embed(i *invocation) (any, error) {
	texts := i.with.texts("texts")
	options := &quipu.EmbedOptions{Model: i.with.text("model"), Purpose: i.with.purpose()}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	embeddings, err := i.client.Embed(i.ctx, texts, options)
	if err != nil {
		return nil, err
	}
	found := make([]any, 0, len(embeddings))
	for _, embedding := range embeddings {
		found = append(found, vectors(embedding))
	}
	return found, nil
}

func vectors(embedding *quipu.TextEmbedding) []any {
	chunks := make([]any, 0, len(embedding.GetChunks()))
	for _, chunk := range embedding.GetChunks() {
		values := make([]any, 0, len(chunk.GetVector().GetValues()))
		for _, value := range chunk.GetVector().GetValues() {
			values = append(values, float64(value))
		}
		chunks = append(chunks, values)
	}
	return chunks
}

func models(i *invocation) (any, error) {
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	found, err := i.client.Models(i.ctx)
	if err != nil {
		return nil, err
	}
	return plainList(found)
}

func countTokens(i *invocation) (any, error) {
	texts := i.with.texts("texts")
	options := &quipu.CountTokensOptions{Model: i.with.text("model")}
	if err := i.with.problem(); err != nil {
		return nil, err
	}
	counts, err := i.client.CountTokens(i.ctx, texts, options)
	if err != nil {
		return nil, err
	}
	found := make([]any, 0, len(counts))
	for _, count := range counts {
		found = append(found, float64(count))
	}
	return found, nil
}
